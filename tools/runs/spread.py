"""Several values of one figure: of seeds, of rounds."""

import statistics
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    """What `values`, in the order of the runs, have in common; `deviation` is the sample's
    standard deviation (n − 1), None of one value."""

    values: tuple[float, ...]
    count: int
    mean: float
    deviation: float | None
    median: float
    least: float
    most: float

    def words(self, digits: int = 4) -> str:
        """0.9512, or 0.9512 ± 0.0031 where there are several values."""
        around = "" if self.deviation is None else f" ± {self.deviation:.{digits}f}"
        return f"{self.mean:.{digits}f}{around}"

    def __str__(self) -> str:
        return f"{self.words()} ({self.count})"


def spread(values: Iterable[float]) -> Spread:
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
    )
