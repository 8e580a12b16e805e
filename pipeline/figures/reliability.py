"""Whether the model is right as often as it says: reliability and calibration error."""

from dataclasses import dataclass

import numpy as np
from matplotlib.ticker import PercentFormatter

from pipeline.figures import style

BINS = 15  # as Guo et al., arXiv 1706.04599


@dataclass(frozen=True)
class Reliability:
    """Predictions by confidence in equal bins of 0…1, (bins,) each.

    `count` predictions, of which the share `accuracy` was right at a mean
    `confidence` (both NaN in an empty bin); `error` is the expected
    calibration error: the mean gap between the two, weighted by count.
    """

    count: np.ndarray
    accuracy: np.ndarray
    confidence: np.ndarray
    error: float


def reliability(confidence: np.ndarray, right: np.ndarray, bins: int = BINS) -> Reliability:
    """Sort predictions into bins by their confidence.

    Args:
        confidence: (n,) the probability of the predicted class; NaN is left out.
        right: (n,) bool.
        bins: how many, each open below and closed above (0 belongs to the first).
    """
    known = ~np.isnan(confidence)
    confidence, right = confidence[known].astype(np.float64), right[known]
    position = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    count = np.bincount(position, minlength=bins)
    hits = np.bincount(position, weights=right, minlength=bins)
    total = np.bincount(position, weights=confidence, minlength=bins)
    empty = np.full(bins, np.nan)
    error = np.abs(hits - total).sum() / max(len(confidence), 1)
    return Reliability(
        count,
        np.divide(hits, count, out=empty.copy(), where=count > 0),
        np.divide(total, count, out=empty.copy(), where=count > 0),
        float(error),
    )


def reliability_figure(found: Reliability) -> bytes:
    """A PNG: accuracy against confidence above, how many predictions below."""
    bins = len(found.count)
    edges = np.linspace(0, 1, bins + 1)
    filled = found.count > 0
    with style.figure(5.6, 5.0) as figure:
        top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
        top.plot([0, 1], [0, 1], linestyle=":", color=style.FAINT, label="exactly as sure as right")
        top.bar(
            edges[:-1][filled],
            found.accuracy[filled],
            1 / bins,
            align="edge",
            color="#9dbbe3",
            edgecolor="white",
            label="share that was right",
        )
        top.plot(
            found.confidence[filled],
            found.accuracy[filled],
            "o-",
            color=style.TRAIN,
            markersize=4,
            linewidth=1,
        )
        top.set_ylim(0, 1.02)
        top.set_xlim(0, 1)
        top.set_ylabel("accuracy")
        top.set_title(f"Reliability: expected calibration error {found.error:.1%}")
        top.yaxis.set_major_formatter(PercentFormatter(1.0))
        top.legend(loc="upper left", fontsize=9)
        style.grid(top)
        bottom.bar(edges[:-1], found.count, 1 / bins, align="edge", color="#aab4c3", ec="white")
        bottom.set_ylabel("images")
        bottom.set_xlabel("confidence (probability of the predicted class)")
        bottom.xaxis.set_major_formatter(PercentFormatter(1.0))
        bottom.locator_params(axis="y", nbins=3, integer=True)
        style.grid(bottom, "y")
        return style.png(figure)
