"""The confusion matrix as a picture, and the confusions that happen most."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.ticker import PercentFormatter

from pipeline.figures import names, style

NAMED = 30  # up to here every class has its name beside the matrix and a number in each cell
DRAWN = 1000  # beyond this a pixel would have to hold several classes
DARK = 0.408  # a cell's luminance up to which the number in it is white
INK = "#262626"
_SHARES = PowerNorm(0.5, vmin=0, vmax=1)  # square-root scale: a rare confusion is still seen


@dataclass(frozen=True)
class Confusion:
    """Images of class `label` that were taken for `prediction`: `count` of `support`."""

    label: str
    prediction: str
    count: int
    support: int

    @property
    def share(self) -> float:
        return self.count / self.support


def row_shares(matrix: np.ndarray) -> np.ndarray:
    """Counts (classes, classes) to each true class's shares; a class without images gets zeros."""
    sums = matrix.sum(axis=1, keepdims=True)
    return np.divide(matrix, sums, out=np.zeros(matrix.shape), where=sums > 0)


def most_confused(
    labels: Sequence[str], predictions: Sequence[str], count: int = 12
) -> list[Confusion]:
    """The pairs of true and predicted class that happen most, most frequent first."""
    support = Counter(labels)
    pairs = Counter(
        (label, prediction)
        for label, prediction in zip(labels, predictions, strict=True)
        if label != prediction
    )
    ordered = sorted(pairs.items(), key=lambda item: (-item[1], item[0]))
    return [
        Confusion(label, prediction, number, support[label])
        for (label, prediction), number in ordered[:count]
    ]


def counts_figure(matrix: np.ndarray, classes: Sequence[str]) -> bytes:
    """A PNG of the counts, (classes, classes) with a row for each true class."""
    return _figure(matrix, classes, "Images", shares=False)


def shares_figure(matrix: np.ndarray, classes: Sequence[str]) -> bytes:
    """A PNG of each true class's shares."""
    return _figure(row_shares(matrix), classes, "Share of the true class", shares=True)


def _figure(values: np.ndarray, classes: Sequence[str], title: str, shares: bool) -> bytes:
    count = len(classes)
    labels = names.picture_names(classes) if count <= NAMED else []
    width = 5.6 if not labels or count <= 12 else min(5.6 + 0.3 * (count - 12), 10)
    # Cells about square: the matrix is as high as the names at its left leave it wide.
    letters = 0.08 * max(map(len, labels), default=2)
    matrix = width - 0.6 - letters if labels else width - 1.4
    below = letters if _upright(labels) else 0.2
    with style.figure(width, matrix + below + 0.6) as figure:
        axes = figure.subplots()
        if labels:
            _annotated(axes, values, shares)
            _name_ticks(axes, labels)
        else:
            _plain(axes, values, shares)
        axes.set_title(title)
        axes.set_xlabel("predicted")
        axes.set_ylabel("true")
        for spine in axes.spines.values():
            spine.set_visible(True)
        return style.png(figure)


def _annotated(axes: Axes, values: np.ndarray, shares: bool) -> None:
    count = len(values)
    if shares:
        texts = np.vectorize(_percent, otypes=[object])(values)
    else:
        texts = np.vectorize(_number, otypes=[object])(values)
    norm = _SHARES if shares else PowerNorm(0.5, vmin=0, vmax=max(values.max(), 1))
    cells = axes.pcolormesh(values, cmap="Blues", norm=norm, linewidth=0.5, edgecolor="#eceef1")
    axes.set(xlim=(0, count), ylim=(count, 0), xticks=[], yticks=[])
    for (row, column), text in np.ndenumerate(texts):
        colour = "white" if _luminance(cells.to_rgba(values[row, column])[:3]) <= DARK else INK
        axes.text(column + 0.5, row + 0.5, text, ha="center", va="center", color=colour)
    # A digit is 0.64 of its font's size wide: large numbers get smaller ones.
    cell = axes.figure.bbox.width / style.DPI * 72 * 0.75 / count
    largest = 9.5 if count <= 12 else 8
    for text in axes.texts:
        text.set_fontsize(min(largest, 0.85 * cell / (0.64 * max(len(text.get_text()), 2))))


def _luminance(colour: Iterable[float]) -> float:
    """The relative luminance (WCAG 2) of red, green and blue, all 0 to 1."""
    red, green, blue = (
        part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in colour
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _name_ticks(axes: Axes, labels: Sequence[str]) -> None:
    centres = np.arange(len(labels)) + 0.5
    size = 9 if len(labels) <= 16 else 7.5
    axes.set_xticks(centres, labels, fontsize=size, rotation=90 if _upright(labels) else 0)
    axes.set_yticks(centres, labels, fontsize=size, rotation=0)
    axes.tick_params(length=0)


def _upright(labels: Sequence[str]) -> bool:
    """Whether the names do not fit side by side."""
    return sum(map(len, labels)) > 45


def _plain(axes: Axes, values: np.ndarray, shares: bool) -> None:
    """Many classes: colours alone, the classes counted along the sides, and a scale of colours."""
    norm = _SHARES if shares else PowerNorm(0.5, vmin=0, vmax=max(values.max(), 1))
    image = axes.imshow(values, cmap="Blues", norm=norm, interpolation="nearest", aspect="auto")
    bar = axes.figure.colorbar(image, ax=axes)
    if shares:
        bar.set_ticks([0, 0.01, 0.1, 0.25, 0.5, 1])
        bar.ax.yaxis.set_major_formatter(PercentFormatter(1.0))


def _number(count: int) -> str:
    return str(count) if count else ""


def _percent(share: float) -> str:
    """12%, 0.4%, and nothing for nothing."""
    if share == 0:
        return ""
    if share == 1:
        return "100%"
    # 0.998 is no 100%: nearly all is not all.
    return f"{share:.0%}" if 0.095 <= share < 0.995 else f"{min(share, 0.999):.1%}"
