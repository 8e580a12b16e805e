"""Runs recorded through the pipeline's own record, with reports but without a training."""

import shutil
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.runtime import files, paths
from pipeline.tracking import runs, sqlite, start_run, store

PARAMETERS = {
    "dataset": "digits",
    "split_seed": 42,
    "model": "tiny_cnn",
    "dropout": [],
    "epochs": 3,
    "best_weights": False,
    "seed": 1,
}
IMAGES = 120
CLASSES = ["cat", "dog", "</script><b>ox"]


def outcome(share: float, seed: int, images: int = IMAGES) -> np.ndarray:
    """bool (images,): a share of them right."""
    right = np.arange(images) < round(share * images)
    return np.random.default_rng(seed).permutation(right)


def write_reports(
    right: np.ndarray, classes: Sequence[str] = CLASSES, name: str = "", epochs: int = 3
) -> None:
    """reports/ as train and evaluate leave it; a wrong answer is the class after the true one."""
    count = len(classes)
    labels = np.arange(len(right)) % count
    answers = np.where(right, labels, (labels + 1) % count)
    table = np.zeros((count, count), int)
    np.add.at(table, (labels, answers), 1)
    history = [
        (i + 1, 0.5 + 0.1 * i, 1 - 0.2 * i, 0.001, 0.4 + 0.1 * i, [0.9, 0.5, 0.7][i % 3])
        for i in range(epochs)
    ]
    header = ("epoch", "accuracy", "loss", "learning_rate", "val_accuracy", "val_loss")
    files.write_csv(paths.REPORTS / "history.csv", header, history)
    rows = zip(classes, table.tolist(), strict=True)
    files.write_csv(
        paths.REPORTS / "confusion.csv", ("label", *classes), ((c, *row) for c, row in rows)
    )
    files.write_csv(
        paths.REPORTS / "predictions.csv",
        ("index", "name", "label", "prediction", *(f"p_{c}" for c in classes)),
        (
            (i, name, classes[label], classes[answer], *np.eye(count)[answer])
            for i, (label, answer) in enumerate(zip(labels, answers, strict=True))
        ),
    )
    files.write_json(paths.REPORTS / "metrics.json", {"accuracy": float(right.mean())})


def record(
    right: np.ndarray | None,
    *,
    data: str = "sha256:one",
    tags: dict[str, str] | None = None,
    **changes: Any,
) -> str:
    """One run of the pipeline; returns its id. `right` None: it failed before it was scored."""
    parameters = {**PARAMETERS, **changes}
    epochs = parameters["epochs"]
    run = start_run(parameters, {"data_digest": data, **(tags or {})})
    assert run.run_id
    for i in range(epochs):
        run.log_epoch(i + 1, {"loss": 1 - 0.2 * i, "val_accuracy": 0.4 + 0.1 * i, "val_loss": 0.5})
    if right is None:
        run.fail("train: no room on the disk")
        return run.run_id
    write_reports(right, epochs=epochs)
    for name in ("history.csv", "confusion.csv", "predictions.csv"):
        run.log_artifact(paths.REPORTS / name)
    run.log_metrics({"test_accuracy": float(right.mean()), "test_loss": 0.5, "train_seconds": 2})
    run.finish()
    return run.run_id


@cache
def empty_store(base: Path) -> Path:
    """An empty store, made once for all tests of a session."""
    path = base / "empty-store" / "mlflow.db"
    path.parent.mkdir()
    store.quiet()
    sqlite.make_if_new(path)
    return path


def track(
    workspace: Path, factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """This process as if it had not recorded yet, with a store of its own in the workspace."""
    monkeypatch.setattr(store, "_opened", {})
    monkeypatch.setattr(runs, "_current", None)
    shutil.copy(empty_store(factory.getbasetemp()), workspace / "mlflow.db")
    return workspace
