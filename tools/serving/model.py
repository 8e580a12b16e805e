"""A trained model: its file and the names of its classes. Imports nothing that takes time."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.datasets.resizing import Resize
from pipeline.errors import PipelineError
from pipeline.runtime import files, paths


@dataclass(frozen=True)
class Trained:
    """A model's file, its classes in the order of its probabilities, what it is called, and how
    the images of its training got their size."""

    file: Path
    classes: list[str]
    title: str
    resize: Resize
    run_id: str = ""  # MLflow's, where it is known

    def check_outputs(self, outputs: int) -> None:
        """One output serves two classes.

        Raises:
            PipelineError: there is another number of class names.
        """
        if max(2, outputs) != len(self.classes):
            raise PipelineError(
                f"{self.title}: {outputs} outputs for {len(self.classes)} class names; "
                "run `dvc repro`, which brings both in step"
            )


def load(model: Trained, threads: int) -> Any:
    """The Keras model, in a process that imports Keras now.

    Raises:
        PipelineError: see `Trained.check_outputs`.
    """
    from pipeline import backend

    backend.configure(0, threads, deterministic=True, dtype="float32")
    from pipeline.networks.saving import load_model

    loaded = load_model(model.file)
    model.check_outputs(loaded.output_shape[-1])
    return loaded


def described_by(known: Mapping[str, Any], file: Path, title: str, run_id: str = "") -> Trained:
    """A model with what dataset.json, or MLmodel's metadata, say of it."""
    resize = Resize.read(known.get("resize"))
    return Trained(file, list(known["classes"]), title, resize, run_id)


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
    yield described_by(files.read_json(dataset), file, "the workspace's model")
