"""What a card says of the test: figures with intervals, calibration, and where the model fails."""

import csv
import io
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pipeline.figures.headline import wilson_interval
from pipeline.figures.reliability import reliability

MOST_CONFUSED = 8
WEAKEST = 5


@dataclass(frozen=True)
class ClassScore:
    """A class: of `images` of it so many were found (`recall`), and so many of those that were
    named so are of it (`precision`); `low` and `high` are the 95% interval of the recall."""

    name: str
    images: int
    recall: float
    low: float
    high: float
    precision: float


@dataclass(frozen=True)
class Scores:
    """`low` and `high`: the 95% interval of the accuracy; `error` the expected calibration
    error; `confused` are (class, taken for, times)."""

    images: int
    accuracy: float
    low: float
    high: float
    confidence: float
    error: float
    classes: list[ClassScore]
    confused: list[tuple[str, str, int]]

    @property
    def weakest(self) -> list[ClassScore]:
        """The classes of which the least are found, the worst first."""
        return sorted(self.classes, key=lambda score: score.recall)[:WEAKEST]


def scores(reports: Mapping[str, str]) -> Scores | None:
    """The scores of predictions.csv; None where a run has none."""
    text = reports.get("predictions.csv")
    if not text:
        return None
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    pairs = [(row["label"], row["prediction"]) for row in rows]
    right = np.array([label == found for label, found in pairs])
    confidence = np.array([float(row[f"p_{row['prediction']}"]) for row in rows])
    hits = int(right.sum())
    low, high = wilson_interval(hits, len(rows))
    return Scores(
        len(rows),
        hits / len(rows),
        low,
        high,
        float(confidence.mean()),
        reliability(confidence, right).error,
        _classes(pairs),
        [
            (label, found, times)
            for (label, found), times in Counter(
                pair for pair in pairs if pair[0] != pair[1]
            ).most_common(MOST_CONFUSED)
        ],
    )


def _classes(pairs: list[tuple[str, str]]) -> list[ClassScore]:
    support = Counter(label for label, _ in pairs)
    named = Counter(found for _, found in pairs)
    hits = Counter(label for label, found in pairs if label == found)
    return [
        ClassScore(
            name,
            count,
            hits[name] / count,
            *wilson_interval(hits[name], count),
            hits[name] / named[name] if named[name] else 0.0,
        )
        for name, count in support.items()
    ]
