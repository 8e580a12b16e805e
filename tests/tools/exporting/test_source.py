"""Where the model of a run, its images and its reports come from."""

import shutil
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from pipeline.datasets.resizing import Resize
from pipeline.errors import PipelineError
from pipeline.runtime import paths
from tests.support import write_prepared
from tools.exporting import source
from tools.runs.experiments import Experiment
from tools.runs.run import Results, Run
from tools.serving.model import Trained

EXPERIMENT = Experiment("exp", "c" * 40, "b" * 40, 1.0)


@pytest.fixture
def kept(workspace, tmp_path, monkeypatch) -> Path:
    """A run on other images than the workspace's; DVC keeps those in a folder."""
    folder = tmp_path / "kept"
    write_prepared(2, seed=1)
    shutil.move(paths.PREPARED, folder)
    digest = source.files.read_json(folder / "dataset.json")["digest"]
    write_prepared(3)
    run = Run(
        *("id1", "a · run", "DVC", "FINISHED", 0.0, {"dataset": "/x/bars"}, {}, Results()),
        experiments=["exp"],
        data_digest=digest,
    )
    (tmp_path / "model.keras").write_text("model")

    @contextmanager
    def model(name):
        yield Trained(tmp_path / "model.keras", ["class 0", "class 1"], name, Resize())

    def fetch(experiment, wanted, target):
        shutil.copy(folder / wanted.name, target)

    monkeypatch.setattr(source.together, "all_runs", lambda: ([run], ""))
    monkeypatch.setattr(source.trained, "of_run", model)
    monkeypatch.setattr(source.experiments, "list_experiments", lambda: [EXPERIMENT])
    monkeypatch.setattr(source.experiments, "fetch", fetch)
    monkeypatch.setattr(source.experiments, "Files", lambda experiment: Nothing())
    return folder


class Nothing:
    def read(self, path):
        raise FileNotFoundError(path)

    def json(self, path):
        return None


def test_images_that_dvc_keeps(kept):
    with source.of_run("exp") as found:
        assert found.name == "a-run"
        for part in ("train", "test"):
            expected = np.load(kept / f"{part}_images.npy")
            assert (np.asarray(found.images(part)) == expected).all()
        expected = np.load(kept / "test_labels.npy").argmax(axis=1)
        assert (found.labels("test") == expected).all()
        with pytest.raises(
            PipelineError, match=r"validation_images.npy: not there; run `dvc repro pre"
        ):
            found.images("validation")


def test_images_that_are_nowhere(kept, monkeypatch):
    monkeypatch.setattr(source.experiments, "list_experiments", lambda: [])
    message = r"^exp: the images that it was trained on are not those of data/prepared; bring them"
    with pytest.raises(PipelineError, match=message), source.of_run("exp"):
        pass
    with source.of_run("exp", with_images=False) as found:  # enough for a card
        assert found.dataset["name"] == "bars"
        assert found.digest == source.files.sha256(found.model.file)


def test_the_workspaces_images_where_they_are_the_same(kept, monkeypatch):
    (run,), _ = source.together.all_runs()
    run.data_digest = write_prepared(3)["digest"]
    monkeypatch.setattr(source.experiments, "list_experiments", lambda: [])
    with source.of_run("id1") as found:
        assert found.prepared == paths.PREPARED


def test_names_of_folders():
    assert (
        source.folder_name("two_block_cnn · mnist_5k · 54b5112") == "two_block_cnn-mnist_5k-54b5112"
    )
    assert source.folder_name("../../etc") == "etc"
    assert source.folder_name("…") == "model"
