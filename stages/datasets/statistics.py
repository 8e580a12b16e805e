"""Mean and variance of each channel, from exact integer sums, so that no order changes them."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

_ROWS_BYTES = 8 << 20


@dataclass(frozen=True)
class Statistics:
    """One number a channel, on the scale 0…255; `variance` is the population's."""

    mean: list[float]
    variance: list[float]


def channel_statistics(images: npt.NDArray[np.uint8]) -> Statistics:
    """Mean and variance of the channels of uint8 images (N, H, W, C), N above 0.

    Reads a few megabytes at a time: the images may be a mapped file that is
    larger than memory.
    """
    channels = images.shape[-1]
    histogram = np.zeros((channels, 256), "int64")
    step = max(1, _ROWS_BYTES // int(np.prod(images.shape[1:])))
    for start in range(0, len(images), step):
        pixels = np.asarray(images[start : start + step]).reshape(-1, channels)
        for channel in range(channels):
            histogram[channel] += np.bincount(pixels[:, channel], minlength=256)
    moments = [_moments(counts.tolist()) for counts in histogram]
    return Statistics(
        [float(mean) for mean, _ in moments], [float(variance) for _, variance in moments]
    )


def _moments(counts: Sequence[int]) -> tuple[Fraction, Fraction]:
    total = sum(counts)
    mean = Fraction(sum(value * count for value, count in enumerate(counts)), total)
    square = Fraction(sum(value**2 * count for value, count in enumerate(counts)), total)
    return mean, square - mean**2
