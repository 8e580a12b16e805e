"""A trained model: its file and the names of its classes. Imports nothing that takes time."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.runtime import files, paths


@dataclass(frozen=True)
class Trained:
    """A model's file, its classes in the order of its probabilities, and what it is called."""

    file: Path
    classes: list[str]
    title: str


@contextmanager
def workspace() -> Iterator[Trained]:
    """The model of the current folder.

    Raises:
        PipelineError: there is none yet.
    """
    file, dataset = paths.MODEL_FILE, paths.PREPARED / "dataset.json"
    for path in (file, dataset):
        if not path.is_file():
            raise PipelineError(
                f"{path}: not there; run `dvc repro`, which makes it, or name a run by --run"
            )
    yield Trained(file, files.read_json(dataset)["classes"], "the workspace's model")
