"""Several values of one figure: of seeds, of folds, of rounds."""

import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Spread:
    """What `values`, in the order of the runs, have in common; `deviation` is the sample's
    standard deviation (n − 1), None of one value; `folds` is how many folds they are of, if any."""

    values: tuple[float, ...]
    count: int
    mean: float
    deviation: float | None
    median: float
    least: float
    most: float
    folds: int | None = None

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95% interval of the mean of shares (0 to 1) by Student's t; None of one value.

        Models of several folds share most of their training images, so their
        figures differ less than those of unlike data would. The variance of
        the mean is therefore s² (1/n + 1/(folds − 1)), the second term being
        the size of a fold by that of the rest (Nadeau and Bengio, Machine
        Learning 52, 2003), which makes the interval wider.
        """
        if self.deviation is None or math.isnan(self.deviation):
            return None
        from scipy.stats import t  # half a second, for this alone

        overlap = 1 / (self.folds - 1) if self.folds else 0
        error = self.deviation * math.sqrt(1 / self.count + overlap)
        half = float(t.ppf((1 + CONFIDENCE) / 2, self.count - 1)) * error
        return max(0.0, self.mean - half), min(1.0, self.mean + half)

    def words(self, digits: int = 4) -> str:
        """0.9512, or 0.9512 ± 0.0031 where there are several values."""
        around = "" if self.deviation is None else f" ± {self.deviation:.{digits}f}"
        return f"{self.mean:.{digits}f}{around}"

    def interval_words(self, digits: int = 4) -> str:
        """0.9435 to 0.9589; a dash where there is none."""
        ends = self.interval
        return "–" if ends is None else f"{ends[0]:.{digits}f} to {ends[1]:.{digits}f}"

    def __str__(self) -> str:
        return f"{self.words()} ({self.count})"


def spread(values: Iterable[float], folds: int | None = None) -> Spread:
    """Mean, median and spread of at least one value."""
    found = tuple(values)
    return Spread(
        found,
        len(found),
        statistics.fmean(found),
        statistics.stdev(found) if len(found) > 1 else None,
        statistics.median(found),
        min(found),
        max(found),
        folds,
    )
