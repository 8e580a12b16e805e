"""Where a classifier fails: groups of test images whose accuracy differs by more than chance."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import erfc, sqrt
from pathlib import PurePosixPath

import numpy as np

FEWEST = 10  # images of a group that is looked at
LEVEL = 0.05  # of finding any group where all are alike
_STEP = 512  # images measured at a time


@dataclass(frozen=True)
class Group:
    """Test images that have something in common.

    `kind` is what they were grouped by, `name` which of them, `rows` their positions;
    `expected` is how many the others' accuracy lets one expect to be right (for others than
    classes: that of the same classes); `p` is how often chance differs as much, corrected.
    """

    kind: str
    name: str
    rows: np.ndarray
    right: int
    expected: float
    p: float

    @property
    def accuracy(self) -> float:
        return self.right / len(self.rows)


def find(
    labels: np.ndarray,
    right: np.ndarray,
    classes: Sequence[str],
    names: Sequence[str],
    measures: dict[str, np.ndarray],
) -> tuple[list[Group], int]:
    """The groups that differ, the worst first, and how many were tried.

    Classes by Fisher's exact test against all others; folders and quarters by Cochran's,
    Mantel's and Haenszel's, within the classes, so that a dark group does not stand out for
    holding more of a difficult class. Holm's correction is for all that were tried.

    Args:
        labels: (n,) integer; right: (n,) bool.
        names: of the files, or empty ones.
        measures: one number an image, (n,), by what is measured; each is cut into quarters.
    """
    tried: list[tuple[str, str, np.ndarray, float, float]] = []
    for number, name in enumerate(classes):
        inside = labels == number
        if inside.sum() >= FEWEST and not inside.all():
            expected = right[~inside].mean() * inside.sum()
            tried.append(("class", name, inside, float(expected), fisher(inside, right)))
    for kind, name, inside in _others(labels, names, measures):
        if inside.sum() >= FEWEST and not inside.all():
            expected, p = mantel_haenszel(inside, right, labels)
            tried.append((kind, name, inside, expected, p))
    corrected = holm([p for *_, p in tried])
    found = [
        Group(kind, name, np.flatnonzero(inside), int(right[inside].sum()), expected, p)
        for (kind, name, inside, expected, _), p in zip(tried, corrected, strict=True)
        if p < LEVEL
    ]
    return sorted(found, key=lambda group: (group.right - group.expected) / len(group.rows)), len(
        tried
    )


def measured(images: np.ndarray) -> dict[str, np.ndarray]:
    """Brightness (0…255) and sharpness (mean step between neighbours, 0…255) of uint8
    (n, H, W, C) images, float64 (n,) each."""
    found: dict[str, list[np.ndarray]] = {"brightness": [], "sharpness": []}
    for start in range(0, len(images), _STEP):
        grey = np.asarray(images[start : start + _STEP], "float32").mean(axis=3)
        found["brightness"].append(grey.mean(axis=(1, 2)))
        steps = [np.abs(np.diff(grey, axis=axis)).mean(axis=(1, 2)) for axis in (1, 2)]
        found["sharpness"].append((steps[0] + steps[1]) / 2)
    return {name: np.concatenate(parts).astype("float64") for name, parts in found.items()}


def fisher(inside: np.ndarray, right: np.ndarray) -> float:
    """The two-sided p of Fisher's exact test: whether being right goes with being inside."""
    images, drawn, successes = len(right), int(inside.sum()), int(right.sum())
    seen = int((inside & right).sum())
    logs = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, images + 1)))])

    def choose(n: int, k: np.ndarray) -> np.ndarray:
        ways: np.ndarray = logs[n] - logs[k] - logs[n - k]
        return ways

    hits = np.arange(max(0, drawn - (images - successes)), min(drawn, successes) + 1)
    chances = np.exp(
        choose(successes, hits)
        + choose(images - successes, drawn - hits)
        - choose(images, np.array(drawn))
    )
    own = chances[seen - hits[0]]
    return float(min(1.0, chances[chances <= own * (1 + 1e-7)].sum()))


def mantel_haenszel(
    inside: np.ndarray, right: np.ndarray, strata: np.ndarray
) -> tuple[float, float]:
    """How many inside are to be expected right, and the two-sided p, within the strata."""
    counts = np.bincount(strata)
    hits = np.bincount(strata, weights=right, minlength=len(counts))
    drawn = np.bincount(strata, weights=inside, minlength=len(counts))
    several = counts > 1
    counts, hits, drawn = counts[several], hits[several], drawn[several]
    expected = drawn * hits / counts
    variance = float(
        (drawn * (counts - drawn) * hits * (counts - hits) / (counts**2 * (counts - 1.0))).sum()
    )
    alone = float(right[inside & ~several[strata]].sum())
    total = float(expected.sum()) + alone
    if variance <= 0:
        return total, 1.0
    apart = abs(float(right[inside].sum()) - total)
    return total, erfc(max(0.0, apart - 0.5) / sqrt(variance) / sqrt(2))


def holm(chances: Sequence[float]) -> list[float]:
    """p values corrected for their number (S. Holm, Scand. J. Statist. 6, 1979)."""
    order = np.argsort(chances, kind="stable")
    corrected, highest = np.empty(len(chances)), 0.0
    for rank, position in enumerate(order):
        highest = max(highest, min(1.0, (len(chances) - rank) * chances[position]))
        corrected[position] = highest
    return [float(p) for p in corrected]


def _others(
    labels: np.ndarray, names: Sequence[str], measures: dict[str, np.ndarray]
) -> Iterator[tuple[str, str, np.ndarray]]:
    folders = np.array([str(PurePosixPath(name).parent) if name else "" for name in names])
    for folder in np.unique(folders):
        inside = folders == folder
        # A class's only folder is the class itself.
        if folder and not all(
            (inside[labels == label]).all() for label in np.unique(labels[inside])
        ):
            yield "folder", str(folder), inside
    for kind, values in measures.items():
        edges = np.quantile(values, [0.25, 0.5, 0.75])
        quarter = np.searchsorted(edges, values, side="left")
        for number in np.unique(quarter):
            inside = quarter == number
            low, high = values[inside].min(), values[inside].max()
            yield kind, f"quarter {number + 1} of 4 ({low:.3g} to {high:.3g})", inside
