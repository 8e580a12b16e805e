"""Rows shared out in folds or parts: stratified, and groups of images kept together."""

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from pipeline.datasets.names import counted, shown
from pipeline.errors import PipelineError

Indices = npt.NDArray[np.int64]


def assign(labels: Indices, groups: Indices | None, folds: int, classes: Sequence[str]) -> Indices:
    """The fold of each of some shuffled rows, int64 (n,), from 0 to below `folds`.

    Without groups folds and classes in them are of one size, to within one
    image; with groups as near to that as whole groups allow.

    Args:
        labels: of the rows, int64 (n,); `groups` likewise, or None.

    Raises:
        PipelineError: a class with fewer images, or groups, than folds.
    """
    members = labels if groups is None else np.unique(np.stack([labels, groups]), axis=1)[0]
    noun = "image" if groups is None else "group"
    counts = np.bincount(members, minlength=len(classes)).tolist()
    for name, count in zip(classes, counts, strict=True):
        if count < folds:
            raise PipelineError(
                f"folds: {folds}: class {shown(name)} has {counted(count, noun)} outside the test "
                f"part, fewer than folds; add images, or choose {max(2, min(counts))} at most"
            )
    if groups is None:
        place = np.empty(len(labels), "int64")
        place[np.argsort(labels, kind="stable")] = np.arange(len(labels))
        return place % folds
    return share(labels, groups, [Fraction(1, folds)] * folds)


def share(labels: Indices, groups: Indices, shares: Sequence[Fraction]) -> Indices:
    """The part of each of some shuffled rows, int64 (n,): groups whole, each class near `shares`.

    Groups go, the largest first, to the part that lacks their classes most.
    scikit-learn's StratifiedGroupKFold does likewise, for equal shares alone
    and with a table of groups by classes, which is gigabytes for many of both.
    """
    _, first, group = np.unique(groups, return_index=True, return_inverse=True)
    classes = int(labels.max()) + 1
    cells, counts = np.unique(group * classes + labels, return_counts=True)
    starts = np.searchsorted(cells, np.arange(len(first) + 1) * classes)
    columns = cells % classes
    totals = np.bincount(labels, minlength=classes).astype("float64")
    weight = 1 / np.maximum(totals, 1) ** 2
    lacking = np.outer([float(each) for each in shares], totals)
    part_of = np.empty(len(first), "int64")
    # The rows are shuffled, so among groups of one size chance decides.
    order = np.lexsort((first, -np.bincount(group)))
    for number in order.tolist():
        cell = slice(starts[number], starts[number + 1])
        own, has = columns[cell], counts[cell]
        part = int(np.argmax(lacking[:, own] @ (has * weight[own])))
        lacking[part, own] -= has
        part_of[number] = part
    return part_of[group]
