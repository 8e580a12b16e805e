"""What training needs to go on after a crash as if there had been none.

A checkpoint is one .npz, written whole or not at all: every variable of the
model (weights, moving averages, the random state of dropout) and of the
optimizer (with its step, on which the learning rate depends), and as JSON the
phase, the history and the MLflow run. The order of the batches and their
augmentation follow from the seed and the epoch (`pipeline.training.batches`),
as PyTorch's dropout does, which has no variable (`pipeline.backend`); early
stopping and the best epoch from the history (`pipeline.training.fitting`).
"""

import json
import zipfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np

from pipeline.runtime.arrays import save_arrays

Row = dict[str, Any]


@dataclass
class Progress:
    """How far training is: `phase` counts from 0, `history` has a row an epoch."""

    phase: int = 0
    history: list[Row] = field(default_factory=list)
    run_id: str | None = None
    seconds: float = 0.0


def save(path: Path, model: keras.Model, progress: Progress) -> None:
    """Write a checkpoint of `model`, its optimizer and the progress."""
    arrays: dict[str, Any] = {f"model_{i:04}": np.asarray(v) for i, v in enumerate(model.variables)}
    arrays |= {f"optimizer_{i:04}": np.asarray(v) for i, v in enumerate(model.optimizer.variables)}
    text = np.frombuffer(json.dumps(asdict(progress)).encode(), "uint8")
    save_arrays(path, arrays | {"progress": text})


def read_progress(path: Path) -> Progress | None:
    """The progress in a checkpoint; None if there is no checkpoint that can be read."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return Progress(**json.loads(arrays["progress"].tobytes()))
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile):
        return None


def restore(path: Path, model: keras.Model) -> None:
    """Set the variables of a compiled `model` and of its optimizer to those of a checkpoint."""
    model.optimizer.build(model.trainable_variables)
    with np.load(path, allow_pickle=False) as arrays:
        for kind, variables in (
            ("model", model.variables),
            ("optimizer", model.optimizer.variables),
        ):
            for i, variable in enumerate(variables):
                variable.assign(arrays[f"{kind}_{i:04}"])


def save_weights(path: Path, model: keras.Model) -> None:
    """Write the model's weights alone, for the best epoch."""
    arrays: dict[str, Any] = {f"weight_{i:04}": np.asarray(w) for i, w in enumerate(model.weights)}
    save_arrays(path, arrays)


def load_weights(path: Path, model: keras.Model) -> None:
    """Set the model's weights to those that `save_weights` wrote."""
    with np.load(path, allow_pickle=False) as arrays:
        for i, weight in enumerate(model.weights):
            weight.assign(arrays[f"weight_{i:04}"])
