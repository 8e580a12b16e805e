"""Every experiment that README tells one to type, typed from the fresh default."""

import hashlib
import itertools
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pipeline.runtime import files
from tests.pipeline.datasets.pictures import class_folders, write_zip
from tests.repository import OUTS, Repository
from tests.support import REPOSITORY

# Which stages' own parameters each key changes, so that they run again.
CHANGES = {
    "activation": {"train"},
    "augmentation": {"train"},
    "backend": {"train", "evaluate"},
    "batch_size": {"train"},
    "best_weights": {"train"},
    "calibration": {"train"},
    "dataset": {"download"},
    "dropout": {"train"},
    "early_stopping": {"train"},
    "epochs": {"train"},
    "image_size": {"prepare"},
    "learning_rate_schedule": {"train"},
    "model": {"train"},
    "test_time_views": {"train"},
    "validation_fraction": {"prepare"},
}
PHOTOS = "/path/to/photos.zip"


def rows() -> list[str]:
    """The `dvc exp run` lines of the tables in README and docs/experiments.md."""
    pages = ("README.md", "docs/experiments.md")
    text = "\n".join((REPOSITORY / page).read_text(encoding="utf-8") for page in pages)
    return list(dict.fromkeys(re.findall(r"^\| `(dvc exp run [^`]+)` \|", text, re.MULTILINE)))


def test_there_are_rows() -> None:
    assert len(rows()) >= 10


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """The default, its digits and epochs few, after `dvc repro`."""
    repository = Repository(tmp_path_factory.mktemp("ran"))
    repository.git("checkout", "-q", "params.yaml")
    (repository.folder / "params.yaml").write_bytes((REPOSITORY / "params.yaml").read_bytes())
    repository.set(dataset="digits", epochs=2, threads=1)
    repository.commit()
    repository.dvc("repro")
    repository.commit()
    return repository


@pytest.fixture
def repository(ran: Repository) -> Iterator[Repository]:
    back(ran)
    ran.dvc("checkout", "-q", "--force")
    yield ran
    back(ran)


def back(repository: Repository) -> None:
    """To the fresh default and its lock; what the stages wrote stays as it is."""
    repository.git("reset", "-q", "--hard")


def typed(line: str, folder: Path) -> list[str]:
    """The words of a line, with a real archive in place of README's."""
    if PHOTOS in line:
        archive = folder / "photos.zip"
        write_zip(archive, class_folders(("cats", "dogs"), 12))
        line = line.replace(PHOTOS, str(archive))
    return shlex.split(line)


def keys(words: list[str]) -> set[str]:
    return {word.split("=")[0] for option, word in itertools.pairwise(words) if option == "-S"}


@pytest.mark.parametrize("line", rows())
def test_a_row_changes_what_it_should(line: str, ran: Repository, tmp_path: Path) -> None:
    """The stage `params` takes it, and DVC then knows which stages have to run: those whose
    dvc.lock has another digest of their parameters."""
    if "backend=jax" in line:
        pytest.importorskip("jax", reason="jax is not installed: `make setup EXTRA=jax`")
    words = typed(line, tmp_path)
    back(ran)
    ended = ran.run(*words, "params")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    lock = YAML(typ="safe").load(ran.folder / "dvc.lock")
    changed = {
        stage
        for stage, entry in lock["stages"].items()
        for dep in entry.get("deps", [])
        if (path := f"data/params/{stage}.json") in dep["path"]
        and dep["md5"] != hashlib.md5((ran.folder / path).read_bytes()).hexdigest()
    }
    changed.discard("report")  # shows all parameters
    assert set().union(*(CHANGES[key] for key in keys(words))) <= changed


def test_the_first_row_trains_anew(repository: Repository) -> None:
    """What README opens with: another model, another score, a second run in MLflow."""
    line = rows()[0]
    assert line == "dvc exp run -S dropout=0.8"
    runs = len(repository.runs())
    before = {name: files.sha256(repository.folder / name) for name in OUTS}
    repository.run(*shlex.split(line))
    after = {name: files.sha256(repository.folder / name) for name in OUTS}
    unaltered = "data/first_batch.npz"  # neither augments
    assert {name for name in OUTS if before[name] == after[name]} == {unaltered}
    assert len(repository.runs()) == runs + 1


@pytest.mark.slow
@pytest.mark.parametrize("line", [line for line in rows() if "cifar10" not in line])
def test_a_row_runs_to_its_end(line: str, repository: Repository, tmp_path: Path) -> None:
    if "backend=jax" in line:
        pytest.importorskip("jax", reason="jax is not installed: `make setup EXTRA=jax`")
    before = files.sha256(repository.folder / "data/model/model.keras")
    words = typed(line, tmp_path)
    ended = repository.run(*words)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    after = files.sha256(repository.folder / "data/model/model.keras")
    # Two epochs do not stop early, and the last may well be the best.
    assert after != before or keys(words) <= {"early_stopping", "best_weights"}
