"""Whether a difference between two models is more than chance."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
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


@dataclass(frozen=True)
class Pairs:
    """Every pair of a list of runs, by their places: (1, 0), (2, 0), (2, 1), (3, 0) …

    The pair (i, j), j below i, is entry i (i − 1) / 2 + j of both lists. `both`
    has how many test images both name rightly, or −1 − k if the two cannot be
    tested against each other for `reasons[k]`; `p` has McNemar's mid-p value.
    """

    both: list[int]
    p: list[float]
    reasons: list[str]


def mcnemar(only_first: npt.ArrayLike, only_second: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """McNemar's mid-p value: how often chance alone splits so unevenly, or more so.

    Of the images on which one model is right and the other wrong each model
    should win half if they were equally good. The exact two-sided binomial
    probability, less half of the observed split's in each tail; it keeps its
    level, and has more power than the exact test (Fagerland, Lydersen and
    Laake, BMC Medical Research Methodology 13:91, 2013). Counts of any one
    shape, and as many values.
    """
    unlike = np.add(only_first, only_second)
    least = np.minimum(only_first, only_second)
    p = 2 * binom.cdf(least, unlike, 0.5) - binom.pmf(least, unlike, 0.5)
    return np.asarray(np.minimum(p, 1))


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
        fractions = ("test_fraction", "validation_fraction")
        names = ("dataset", "split_seed", *fractions, "image_size", "resize")
        unlike = [n for n in names if first.parameters.get(n) != second.parameters.get(n)]
        why = f" (another {', another '.join(unlike)})" if unlike else ""
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
    p = float(mcnemar(only_first, only_second))
    return Comparison(len(one), int(np.sum(one & two)), only_first, only_second, p)


def compare_all(runs: Sequence[Run]) -> Pairs:
    """Each run against each on their common test images, as `compare` would."""
    both = np.zeros((len(runs), len(runs)), dtype="int64")
    parts: dict[str, list[int]] = {}
    for place, run in enumerate(runs):
        if run.results.outcome:
            parts.setdefault(run.results.outcome.images, []).append(place)
    for places in parts.values():
        outcomes = [runs[place].results.outcome for place in places]
        # float32 counts exactly to 16 million images, and BLAS multiplies it.
        right = np.stack([one.right for one in outcomes if one]).astype("float32")
        both[np.ix_(places, places)] = right @ right.T
    high, low = np.tril_indices(len(runs), -1)
    only = both.diagonal()[:, None] - both
    p = mcnemar(only[high, low], only[low, high])
    common = both[high, low]
    reasons: dict[str, int] = {}
    for pair, (i, j) in enumerate(zip(high.tolist(), low.tolist(), strict=True)):
        if reason := incomparable(runs[j], runs[i]):
            common[pair] = -1 - reasons.setdefault(reason, len(reasons))
    return Pairs(common.tolist(), p.tolist(), list(reasons))
