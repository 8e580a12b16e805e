"""Which labels are probably wrong: confident learning on out-of-fold probabilities.

Northcutt, Jiang and Chuang, Journal of Artificial Intelligence Research 70,
2021, as the package cleanlab has it.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tools.labels.features import Features
from tools.labels.images import Indices
from tools.labels.noise import Array, Judgement

# An image is listed if its label is more probably wrong than right. Chosen on MNIST's 5,000
# images with 5% of their labels changed, where it is the best of 0.1 to 0.95 by F1 and
# cleanlab's own filter `confident_learning` finds less (docs/data-quality.md).
THRESHOLD = 0.5
NEAREST = 3
_STEP = 64


@dataclass(frozen=True)
class Doubts:
    """`rows` are the images, worst first; `suggested` a class for each, `score` the probability
    that the label is wrong, `sure` that of the suggestion, as if no label were: (n,) all. `order`
    has every image, worst first."""

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


def find(labels: Indices, judged: Judgement, threshold: float = THRESHOLD) -> Doubts:
    """The labels, int64 (n,), that are probably wrong by out-of-fold judgement."""
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    probabilities = judged.probabilities
    quality = get_label_quality_scores(labels, probabilities, method="self_confidence")
    order = np.argsort(quality, kind="stable").astype("int64")
    other = find_label_issues(labels, probabilities, filter_by="predicted_neq_given", n_jobs=1)
    rows = order[(other & (judged.wrong >= threshold))[order]]
    suggested = probabilities.argmax(axis=1).astype("int64")
    sure = probabilities.max(axis=1)
    return Doubts(rows, suggested[rows], judged.wrong[rows], sure[rows], order)


def confused(labels: Indices, probabilities: Array) -> list[Confusion]:
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
