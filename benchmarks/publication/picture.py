"""The tuning log in one picture: more dropout after the last pool, more epochs, smaller batches."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.publication.rows import Row
from pipeline.runtime import files


def draw_tuning_log(
    path: Path, rows: Sequence[Row], lines: Mapping[str, Mapping[str, str]]
) -> bool:
    """Draw the rows of the tuning log that have run: published and here, side by side.

    Returns whether there was anything to draw.
    """
    shown = [row for row in rows if row.tuning_log and lines.get(row.name, {}).get("accuracy")]
    if not shown:
        return False
    from pipeline.figures import style

    x = range(len(shown))
    published = [_or_nan(row.expected.accuracy) for row in shown]
    here = [float(lines[row.name]["accuracy"]) for row in shown]
    trained = [float(lines[row.name]["train_accuracy"] or "nan") for row in shown]
    with style.figure(8, 4.6) as figure:
        axes = figure.add_subplot()
        style.grid(axes, "y")
        axes.plot(x, trained, "^:", color=style.FAINT, label="here, training images")
        axes.plot(x, published, "o--", color=style.TRAIN, label="published, test images")
        axes.plot(x, here, "s-", color=style.VALIDATION, label="here, test images")
        for values, colour, above in (
            (published, style.TRAIN, _above(published, here)),
            (here, style.VALIDATION, _above(here, published)),
        ):
            for i, value in enumerate(values):
                if not math.isnan(value):
                    axes.annotate(
                        f"{value:.3f}",
                        (i, value),
                        xytext=(0, 8 if above[i] else -16),
                        textcoords="offset points",
                        ha="center",
                        color=colour,
                    )
        axes.set_xticks(list(x), [_settings(row) for row in shown])
        axes.set_xlim(-0.4, len(shown) - 0.6)
        axes.margins(y=0.15)
        axes.set_ylabel("accuracy")
        data = lines[shown[0].name]["data"]
        axes.set_title(f"More dropout after the last pool, more epochs, smaller batches\n{data}")
        axes.legend(loc="best")
        drawn = style.png(figure)
    with files.atomic(path) as partial:
        partial.write_bytes(drawn)
    return True


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value


def _above(own: Sequence[float], other: Sequence[float]) -> list[bool]:
    """Whether a figure's label goes above its point, away from the other's."""
    return [math.isnan(b) or a >= b for a, b in zip(own, other, strict=True)]


def _settings(row: Row) -> str:
    parameters = row.experiments[0].parameters
    dropout = parameters["dropout"]
    rates = ", ".join(f"{rate:g}" for rate in dropout) if isinstance(dropout, list) else dropout
    return f"dropout {rates}\nepochs {parameters['epochs']}\nbatch {parameters['batch_size']}"
