"""Which labels are probably wrong: confident learning on out-of-fold probabilities.

Northcutt, Jiang and Chuang, Journal of Artificial Intelligence Research 70,
2021, as the package cleanlab has it.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tools.labels.features import Features
from tools.labels.images import Indices
from tools.labels.out_of_fold import Probabilities

# An image is listed if its label has no more than this probability. Chosen on MNIST's 5,000
# images with 5% of their labels changed (docs/data-quality.md), and nowhere else.
THRESHOLD = 0.04
NEAREST = 3
_STEP = 64


@dataclass(frozen=True)
class Doubts:
    """`rows` are the images, worst first; `suggested` a class for each, `score` the out-of-fold
    probability of the label that it has, `sure` that of the suggestion: (n,) all. `order` has
    every image, worst first."""

    rows: Indices
    suggested: Indices
    score: npt.NDArray[np.float64]
    sure: npt.NDArray[np.float64]
    order: Indices


@dataclass(frozen=True)
class Confusion:
    """About `images` that are labelled `label` are of class `true`, of `labelled` in all."""

    label: int
    true: int
    images: float
    labelled: int


def find(labels: Indices, probabilities: Probabilities, threshold: float = THRESHOLD) -> Doubts:
    """The labels that are probably wrong.

    Args:
        labels: as they are, int64 (n,).
        probabilities: out of fold, float64 (n, classes).
    """
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    score = get_label_quality_scores(labels, probabilities, method="self_confidence")
    candidates = find_label_issues(labels, probabilities, filter_by="predicted_neq_given", n_jobs=1)
    order = np.argsort(score, kind="stable").astype("int64")
    rows = order[(candidates & (score <= threshold))[order]]
    suggested = probabilities.argmax(axis=1).astype("int64")
    sure = probabilities.max(axis=1)
    return Doubts(rows, suggested[rows], score[rows], sure[rows], order)


def confused(labels: Indices, probabilities: Probabilities) -> list[Confusion]:
    """Pairs of classes that the labels mix up, the most images first: cleanlab's joint estimate."""
    from cleanlab.count import estimate_joint

    joint = estimate_joint(labels, probabilities) * len(labels)
    counts = np.bincount(labels, minlength=len(joint))
    found = [
        Confusion(label, true, float(joint[label, true]), int(counts[label]))
        for label in range(len(joint))
        for true in range(len(joint))
        if label != true and joint[label, true] >= 0.5
    ]
    return sorted(found, key=lambda pair: (-pair.images, pair.label, pair.true))


def nearest(features: Features, labels: Indices, rows: Indices, classes: Indices) -> list[Indices]:
    """Of each of `rows` the images of the class in `classes` that look most like it, nearest first.

    By the cosine of the features. An image is not its own neighbour, and what is
    itself in doubt (`rows`) is nobody's.
    """
    length = np.linalg.norm(features, axis=1, keepdims=True)
    unit = (features / np.where(length > 0, length, 1)).astype("float32")
    sound = np.ones(len(labels), bool)
    sound[rows] = False
    found: list[Indices] = [np.zeros(0, "int64")] * len(rows)
    for number in np.unique(classes):
        asked = np.flatnonzero(classes == number)
        members = np.flatnonzero((labels == number) & sound)
        if not members.size:
            continue
        for start in range(0, len(asked), _STEP):
            some = asked[start : start + _STEP]
            likeness = unit[rows[some]] @ unit[members].T
            best = np.argsort(-likeness, axis=1, kind="stable")[:, :NEAREST]
            for place, at in zip(some.tolist(), best, strict=True):
                found[place] = members[at]
    return found
