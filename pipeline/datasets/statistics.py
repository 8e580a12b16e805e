"""Mean and variance of each channel, from exact integer sums, so that no order changes them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Statistics:
    """One number a channel, on the scale 0…255; `variance` is the population's."""

    mean: list[float]
    variance: list[float]


def channel_statistics(batches: Iterable[npt.NDArray[np.uint8]]) -> Statistics:
    """Mean and variance of the channels of images that come in batches, uint8 (n, H, W, C).

    There has to be one image at least.
    """
    histogram = np.zeros((0, 256), "int64")
    for images in batches:
        pixels = images.reshape(-1, images.shape[-1])
        if not len(histogram):
            histogram = np.zeros((pixels.shape[1], 256), "int64")
        for channel, counts in enumerate(histogram):
            counts += np.bincount(pixels[:, channel], minlength=256)
    moments = [_moments(counts.tolist()) for counts in histogram]
    return Statistics(
        [float(mean) for mean, _ in moments], [float(variance) for _, variance in moments]
    )


def _moments(counts: Sequence[int]) -> tuple[Fraction, Fraction]:
    total = sum(counts)
    mean = Fraction(sum(value * count for value, count in enumerate(counts)), total)
    square = Fraction(sum(value**2 * count for value, count in enumerate(counts)), total)
    return mean, square - mean**2
