"""The scores as tables in reports/."""

import csv
from pathlib import Path

import numpy as np

from pipeline.evaluation.scores import Scores
from pipeline.runtime import files, paths


def write_tables(
    scores: Scores, classes: list[str], labels: np.ndarray, probabilities: np.ndarray
) -> None:
    """Write classes.csv, confusion.csv and predictions.csv.

    Args:
        labels: one-hot float32 (n, classes).
        probabilities: float32 (n, classes).
    """
    files.write_csv(
        paths.REPORTS / "classes.csv",
        ("class", "precision", "recall", "f1", "support"),
        ((name, *row) for name, row in zip(classes, scores.classes, strict=True)),
    )
    files.write_csv(
        paths.REPORTS / "confusion.csv",
        ("label", *classes),
        ((name, *row) for name, row in zip(classes, scores.confusion.tolist(), strict=True)),
    )
    split = _test_rows(paths.PREPARED / "split.csv")
    true = labels.argmax(axis=1)
    files.write_csv(
        paths.REPORTS / "predictions.csv",
        ("index", "name", "label", "prediction", *(f"p_{name}" for name in classes)),
        (
            (*split[i], classes[true[i]], classes[scores.predicted[i]], *(f"{p:.9g}" for p in row))
            for i, row in enumerate(probabilities)
        ),
    )


def _test_rows(path: Path) -> list[tuple[str, str]]:
    """(index in the raw data, file name) of each test image, in order."""
    with path.open(encoding="utf-8", newline="") as file:
        return [(r["index"], r["name"]) for r in csv.DictReader(file) if r["part"] == "test"]
