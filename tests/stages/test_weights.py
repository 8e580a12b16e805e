"""The stage `weights` as a process, and its record."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

from pipeline.errors import PipelineError
from pipeline.networks import registry
from pipeline.parameters.stages import WeightsParameters
from pipeline.pretrained import imagenet
from pipeline.pretrained.arrays import digest
from pipeline.runtime import files, paths
from stages import weights
from tests.pipeline.pretrained.support import random_arrays, write_legacy_h5
from tests.support import run_stage

VGG16 = registry.find("vgg16").base.imagenet
pytestmark = pytest.mark.usefixtures("workspace")


def ask_for(value) -> None:
    files.write_json(WeightsParameters.path(), {"model": "vgg16", "pretrained_weights": value})


@pytest.fixture
def own_file(tmp_path):
    yield write_legacy_h5(tmp_path / "mine.h5", random_arrays(1))
    shutil.rmtree(tmp_path)


def test_a_model_without_a_base_needs_none():
    ask_for(None)
    result = run_stage("weights")
    assert (result.returncode, result.stderr) == (0, "")
    assert sorted(path.name for path in paths.WEIGHTS.iterdir()) == ["weights.json"]
    assert files.read_json(paths.WEIGHTS / "weights.json") == {"pretrained_weights": None}


def test_that_needs_no_heavy_import():
    ask_for(None)
    program = (
        "import sys; from stages import weights; weights.main(); "
        "print([m for m in ('numpy', 'keras', 'tensorflow', 'onnx', 'h5py') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "[]\n"


def test_a_file_of_ones_own(own_file):
    ask_for(str(own_file))
    result = run_stage("weights")
    assert (result.returncode, result.stderr) == (0, "")
    record = files.read_json(paths.WEIGHTS / "weights.json")
    assert record == {
        "pretrained_weights": "mine.h5",
        "source": "a file of one's own, mine.h5",
        "sha256": digest(random_arrays(1)),
        "licence": "that of the file",
    }
    with np.load(paths.WEIGHTS / "weights.npz", allow_pickle=False) as arrays:
        assert arrays.files[:2] == ["block1_conv1_kernel", "block1_conv1_bias"]
        assert digest(dict(arrays)) == record["sha256"]
    before = files.sha256(paths.WEIGHTS / "weights.npz", paths.WEIGHTS / "weights.json")
    weights.main()
    assert files.sha256(paths.WEIGHTS / "weights.npz", paths.WEIGHTS / "weights.json") == before


def test_a_damaged_file_is_one_line_and_leaves_nothing(own_file):
    with own_file.open("r+b") as file:
        file.truncate(1 << 20)
    ask_for(str(own_file))
    result = run_stage("weights")
    assert (result.returncode, result.stdout) == (1, "")
    line = "weights: pretrained_weights: mine.h5: damaged or cut short ("
    assert result.stderr.startswith(line)
    assert result.stderr.count("\n") == 1
    assert not paths.WEIGHTS.exists()


def test_imagenet_is_the_same_record_from_every_source(monkeypatch):
    ask_for("imagenet")
    arrays = random_arrays(2)
    monkeypatch.setattr(imagenet, "fetch", lambda *_: arrays)
    weights.main()
    record = files.read_json(paths.WEIGHTS / "weights.json")
    assert record["pretrained_weights"] == "imagenet"
    assert record["sha256"] == digest(arrays)
    assert "CC BY 4.0" in record["licence"]
    assert "/" not in json.dumps(record)
    shutil.rmtree(paths.WEIGHTS)


def test_imagenet_without_a_network_leaves_nothing(monkeypatch):
    ask_for("imagenet")

    def offline(*_):
        raise PipelineError("pretrained_weights: imagenet: not to be had")

    monkeypatch.setattr(imagenet, "fetch", offline)
    with pytest.raises(PipelineError):
        weights.main()
    assert not paths.WEIGHTS.exists()


def test_the_real_arrays(shared_data):
    ask_for(str(shared_data / "vgg16_imagenet_notop.h5"))
    weights.main()
    record = files.read_json(paths.WEIGHTS / "weights.json")
    assert record["sha256"] == VGG16.sha256
    assert record["licence"] == VGG16.licence
    shutil.rmtree(paths.WEIGHTS)
