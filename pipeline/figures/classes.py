"""Precision, recall, F1 and support of each class."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.figures import names, style

DRAWN = 40  # rows that a picture has room for; with more classes the lowest F1 are drawn
_MARKS = (
    ("precision", "o", style.TRAIN),
    ("recall", "D", style.VALIDATION),
    ("f1", "|", style.INK),
)


@dataclass(frozen=True)
class ClassScore:
    """One row of reports/classes.csv; `number` is the class's index."""

    number: int
    name: str
    precision: float
    recall: float
    f1: float
    support: int


def parse_classes(rows: Sequence[Mapping[str, str]]) -> list[ClassScore]:
    """The rows of reports/classes.csv, as text, in the order of the classes."""
    return [
        ClassScore(
            number,
            row["class"],
            float(row["precision"]),
            float(row["recall"]),
            float(row["f1"]),
            int(float(row["support"])),
        )
        for number, row in enumerate(rows)
    ]


def drawn(scores: Sequence[ClassScore]) -> list[ClassScore]:
    """The classes that the picture shows: all in order, or of many the lowest F1 first."""
    if len(scores) <= DRAWN:
        return list(scores)
    return sorted(scores, key=lambda score: (score.f1, score.number))[:DRAWN]


def classes_figure(scores: Sequence[ClassScore]) -> bytes:
    """A PNG with a row a class: precision, recall and F1 as marks, support as a bar."""
    shown = drawn(scores)
    every_name = names.picture_names([score.name for score in scores])
    rows = np.arange(len(shown))
    with style.figure(5.8, 1.3 + 0.26 * len(shown)) as figure:
        left, right = figure.subplots(1, 2, sharey=True, width_ratios=[3, 1])
        spans = [(score.precision, score.recall) for score in shown]
        left.hlines(rows, *np.sort(spans, axis=1).T, color="#c9ced6", linewidth=2, zorder=1)
        for metric, marker, color in _MARKS:
            values = [getattr(score, metric) for score in shown]
            size = 60 if marker == "|" else 22
            left.scatter(values, rows, size, color=color, marker=marker, label=metric, zorder=2)
        left.set_yticks(rows, [every_name[score.number] for score in shown], fontsize=9)
        left.set_ylim(len(shown) - 0.4, -0.6)
        lowest = min(min(span) for span in spans)
        left.set_xlim(max(0.0, np.floor(lowest * 20 - 0.5) / 20), 1.005)
        left.tick_params(axis="y", length=0)
        left.locator_params(axis="x", nbins=6)
        style.grid(left)
        figure.legend(*_legend(left), loc="outside upper left", ncols=3, fontsize=9)
        right.barh(rows, [score.support for score in shown], color="#aab4c3", height=0.6)
        right.set_xlabel("test images")
        right.tick_params(axis="y", length=0)
        right.locator_params(axis="x", nbins=3, integer=True)
        style.grid(right, "x")
        return style.png(figure)


def _legend(axes: style.Axes) -> tuple[list, list[str]]:
    handles, labels = axes.get_legend_handles_labels()
    return handles, ["F1" if label == "f1" else label for label in labels]
