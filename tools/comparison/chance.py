"""Whether a difference between two models is more than chance, and how seeds spread."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import binom

from tools.runs.run import Run

SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Comparison:
    """Two models on the same test images: how many each alone names rightly, and
    McNemar's mid-p value of that."""

    images: int
    both: int
    only_first: int
    only_second: int
    p: float

    @property
    def difference(self) -> float:
        """The second's accuracy less the first's."""
        return (self.only_second - self.only_first) / self.images


def mcnemar(only_first: int, only_second: int) -> float:
    """McNemar's mid-p value: how often chance alone splits so unevenly, or more so.

    Of the images on which one model is right and the other wrong each model
    should win half if they were equally good. The exact two-sided binomial
    probability, less half of the observed split's in each tail; it keeps its
    level, and has more power than the exact test (Fagerland, Lydersen and
    Laake, BMC Medical Research Methodology 13:91, 2013).
    """
    unlike = only_first + only_second
    least = min(only_first, only_second)
    if not unlike:
        return 1.0
    return float(2 * binom.cdf(least, unlike, 0.5) - binom.pmf(least, unlike, 0.5))


def incomparable(first: Run, second: Run) -> str:
    """Why the two cannot be tested against each other; '' if they can.

    They can on the same test images: by the digest of the test part where both
    runs have it, else by that of all their data.
    """
    for run in (first, second):
        if run.results.outcome is None:
            return f"{run.name} has no predictions"
    if first.test_digest and second.test_digest:
        same = first.test_digest == second.test_digest
    else:
        same = bool(first.data_digest) and first.data_digest == second.data_digest
    if not same:
        names = ("dataset", "split_seed", "test_fraction", "validation_fraction", "image_size")
        pairs = [(n, first.parameters.get(n), second.parameters.get(n)) for n in names]
        unlike = [f"{name} {one} and {two}" for name, one, two in pairs if one != two]
        why = f" ({', '.join(unlike)})" if unlike else ""
        return f"they were trained and scored on other data{why}"
    assert first.results.outcome
    assert second.results.outcome
    if first.results.outcome.images != second.results.outcome.images:
        return "their test parts are not the same images in the same order"
    return ""


def compare(first: Run, second: Run) -> Comparison:
    """The two runs on their common test images; see `incomparable`."""
    reason = incomparable(first, second)
    if reason:
        raise ValueError(reason)
    assert first.results.outcome
    assert second.results.outcome
    one, two = first.results.outcome.right, second.results.outcome.right
    only_first, only_second = int(np.sum(one & ~two)), int(np.sum(two & ~one))
    p = mcnemar(only_first, only_second)
    return Comparison(len(one), int(np.sum(one & two)), only_first, only_second, p)
