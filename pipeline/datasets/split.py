"""The split into train, validation and test: stratified, shuffled, and the same on any day."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor

import numpy as np
import numpy.typing as npt

from pipeline.datasets import folds
from pipeline.datasets.names import counted, listed, shown
from pipeline.errors import PipelineError
from pipeline.runtime.paths import PARTS

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Wish:
    """How much is to be set aside, and by which seed; see params.yaml."""

    validation_fraction: float
    test_fraction: float
    seed: int
    folds: int | None = None
    fold: int = 0


def split(
    labels: npt.NDArray[np.int64],
    published: dict[str, Indices],
    wish: Wish,
    classes: Sequence[str],
    groups: Indices | None = None,
) -> dict[str, Indices]:
    """The rows of each part, by its name (train, validation, test).

    `published` has the rows of the parts that the source itself names; where
    it has no train part, that is all rows. Published validation and test parts
    are used as they are, in their order. The others are taken from train: the
    test part first, `test_fraction` of it, then `validation_fraction` of what
    is left (0 is none). A class has its share in each part to within one image,
    and at least one. Train and own parts are shuffled.

    With `folds` the validation part is one fold of all that is not for the
    test, a published validation part too; the test part is as without. With
    `groups`, the number of each row's group, int64 (N,), no own part tears one,
    and the shares are as near as that allows.

    scikit-learn's train_test_split gives the same sizes, but wants each part
    to have as many images as there are classes, may leave a class out of a
    part, and takes a second to import.

    Raises:
        PipelineError: a class that has too few images for that; it names it.
    """
    # RandomState's stream is frozen by NumPy (NEP 19); Generator's is not.
    order = np.random.RandomState(wish.seed).permutation(len(labels)).astype("int64")
    if "train" in published:
        given = np.zeros(len(labels), bool)
        given[published["train"]] = True
        if wish.folds and "validation" in published:
            given[published["validation"]] = True
        order = order[given[order]]
    own: list[tuple[str, Fraction]] = []
    if "test" not in published:
        own.append(("test", Fraction(str(wish.test_fraction))))
    if "validation" not in published and wish.validation_fraction > 0 and not wish.folds:
        own.append(("validation", Fraction(str(wish.validation_fraction))))
    parts = {part: published.get(part, np.zeros(0, "int64")) for part in PARTS}
    for number, (part, fraction) in enumerate(own):
        if groups is None:
            counts = np.bincount(labels[order], minlength=len(classes))
            wanted = allocate(counts, fraction, reserve=len(own) - number)
            _check(counts, wanted, fraction, part, [name for name, _ in own], classes)
            taken = _rank(labels[order]) < wanted[labels[order]]
        else:
            shares = (fraction, 1 - fraction)
            taken = folds.share(labels[order], groups[order], shares) == 0
            _check_groups(labels[order[taken]], part, classes)
        parts[part], order = order[taken], order[~taken]
    if wish.folds:
        of_group = None if groups is None else groups[order]
        chosen = folds.assign(labels[order], of_group, wish.folds, classes) == wish.fold
        parts["validation"], order = order[chosen], order[~chosen]
    parts["train"] = order
    empty = np.flatnonzero(np.bincount(labels[order], minlength=len(classes)) == 0)
    if empty.size:
        raise PipelineError(f"dataset: class {shown(classes[empty[0]])} has no image to train on")
    if not len(parts["test"]):
        raise PipelineError("dataset: no image to test on")
    return parts


def allocate(
    counts: npt.NDArray[np.integer], fraction: Fraction, reserve: int
) -> npt.NDArray[np.int64]:
    """How many images of each class a part gets, of `counts` (classes,).

    The largest remainders are rounded up until the whole has its share; then
    each class gets at least one, and leaves `reserve` for the parts that follow.
    """
    shares = [fraction * int(count) for count in counts]
    wanted = np.array([floor(share) for share in shares], "int64")
    missing = round(fraction * int(counts.sum())) - int(wanted.sum())
    by_remainder = sorted(range(len(shares)), key=lambda i: (wanted[i] - shares[i], i))
    wanted[by_remainder[:missing]] += 1
    return np.clip(wanted, 1, np.maximum(counts - reserve, 0))


def _check(
    counts: npt.NDArray[np.integer],
    wanted: npt.NDArray[np.int64],
    fraction: Fraction,
    part: str,
    own: list[str],
    classes: Sequence[str],
) -> None:
    for name, count, number in zip(classes, counts.tolist(), wanted.tolist(), strict=True):
        if number < 1 or abs(number - fraction * count) > 1:
            raise PipelineError(
                f"dataset: class {shown(name)} has {counted(count, 'image')} to share between "
                f"{listed(['train', *own])}, too few for {part}_fraction {float(fraction):g}; "
                "add images, remove the class or choose another fraction"
            )


def _check_groups(labels: Indices, part: str, classes: Sequence[str]) -> None:
    missing = np.flatnonzero(np.bincount(labels, minlength=len(classes)) == 0)
    if missing.size:
        raise PipelineError(
            f"dataset: class {shown(classes[missing[0]])} has too few groups of images to have one "
            f"in the {part} part; add images, or group them more finely"
        )


def _rank(labels: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """For each image, how many of its class stand before it."""
    by_class = np.argsort(labels, kind="stable")
    starts = np.searchsorted(labels[by_class], labels[by_class])
    rank = np.empty(len(labels), "int64")
    rank[by_class] = np.arange(len(labels)) - starts
    return rank
