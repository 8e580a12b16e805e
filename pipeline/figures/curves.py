"""Loss and accuracy over the epochs, with their exponential moving average."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter

from pipeline.figures import style

SMOOTHING = 0.8


@dataclass(frozen=True)
class History:
    """reports/history.csv: one value an epoch, NaN where it has none.

    `phases` are the names of the phases of training (one name throughout
    where the file has no such column); `validation` is None without a
    validation part. Both mappings have `loss` and `accuracy`.
    """

    phases: list[str]
    train: dict[str, np.ndarray]
    validation: dict[str, np.ndarray] | None
    learning_rate: np.ndarray | None

    @property
    def epochs(self) -> int:
        return len(self.phases)

    def starts(self) -> list[int]:
        """The first epoch, counted from 1, of every phase after the first."""
        pairs = pairwise(self.phases)
        return [epoch for epoch, (old, new) in enumerate(pairs, start=2) if old != new]


def phase_words(name: str) -> str:
    """A phase's name as a reader would say it."""
    return {"fine_tune": "fine-tuning"}.get(name, name.replace("_", " "))


def parse_history(rows: Sequence[Mapping[str, str]]) -> History:
    """The rows of reports/history.csv, as text, to numbers. An empty cell is NaN."""

    def column(name: str) -> np.ndarray:
        return np.array([float(row[name] or "nan") for row in rows])

    columns = rows[0].keys() if rows else ()
    metrics = ("loss", "accuracy")
    validated = rows and all(f"val_{metric}" in columns for metric in metrics)
    return History(
        phases=[row.get("phase", "") for row in rows],
        train={metric: column(metric) for metric in metrics},
        validation={metric: column(f"val_{metric}") for metric in metrics} if validated else None,
        learning_rate=column("learning_rate") if "learning_rate" in columns else None,
    )


def moving_average(values: np.ndarray, smoothing: float = SMOOTHING) -> np.ndarray:
    """The exponential moving average: s₀ = v₀, then s = 0.8·s before + 0.2·v.

    As in Chollet's book (first edition, 5.3). A NaN leaves the average as it was.
    """
    result = np.empty(len(values))
    average = np.nan
    for position, value in enumerate(values):
        if np.isnan(average):
            average = value
        elif not np.isnan(value):
            average = smoothing * average + (1 - smoothing) * value
        result[position] = average
    return result


def smoothed(values: np.ndarray, starts: Sequence[int]) -> np.ndarray:
    """The moving average, begun anew at the first epoch (from 1) of every phase."""
    pieces = np.split(values, [start - 1 for start in starts])
    return np.concatenate([moving_average(piece) for piece in pieces])


def curve(history: History, metric: str) -> bytes:
    """A PNG of `loss` or `accuracy`: raw points, and their moving average as lines."""
    with style.figure(5.6, 3.5) as figure:
        axes = figure.subplots()
        _lines(axes, history, history.train[metric], "train", style.TRAIN, "-")
        if history.validation is not None:
            values = history.validation[metric]
            _lines(axes, history, values, "validation", style.VALIDATION, "--")
        _phases(axes, history)
        axes.set_title("Accuracy" if metric == "accuracy" else "Loss (cross-entropy)")
        axes.set_xlabel("epoch")
        axes.set_xlim(0.5, max(history.epochs, 1) + 0.5)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=10, integer=True, min_n_ticks=1))
        if metric == "accuracy":
            axes.yaxis.set_major_formatter(PercentFormatter(1.0))
        else:
            axes.set_ylim(bottom=0)
        style.grid(axes)
        axes.legend(loc="best", fontsize=9)
        return style.png(figure)


def learning_rate(history: History) -> bytes | None:
    """A PNG of the learning rate at the end of each epoch; None where it never changes."""
    rates = history.learning_rate
    if rates is None or history.epochs < 2 or np.all(rates == rates[0]):
        return None
    with style.figure(5.6, 2.6) as figure:
        axes = figure.subplots()
        axes.plot(_numbers(history), rates, color=style.TRAIN, marker=".", markersize=4)
        _phases(axes, history)
        axes.set_title("Learning rate")
        axes.set_xlabel("epoch")
        axes.set_ylim(bottom=0)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=10, integer=True, min_n_ticks=1))
        style.grid(axes)
        return style.png(figure)


def _numbers(history: History) -> np.ndarray:
    return np.arange(1, history.epochs + 1)


def _lines(
    axes: Axes, history: History, values: np.ndarray, label: str, color: str, dash: str
) -> None:
    epochs = _numbers(history)
    axes.plot(epochs, values, "o-", markersize=4, linewidth=0.7, color=color, alpha=0.45)
    average = smoothed(values, history.starts())
    # The line breaks where a phase begins: the average begins anew there.
    bounds = [1, *history.starts(), history.epochs + 1]
    for number, (start, stop) in enumerate(pairwise(bounds)):
        piece = slice(start - 1, stop - 1)
        text = label if number == 0 else None
        axes.plot(epochs[piece], average[piece], dash, color=color, linewidth=1.8, label=text)


def _phases(axes: Axes, history: History) -> None:
    for start in history.starts():
        axes.axvline(start - 0.5, color=style.INK, linewidth=1, linestyle=":")
        axes.annotate(
            f" {phase_words(history.phases[start - 1])} begins",
            (start - 0.5, 1),
            xycoords=("data", "axes fraction"),
            va="top",
            fontsize=9,
        )
