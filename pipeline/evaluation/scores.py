"""The scores of a classifier, from one-hot labels and probabilities."""

from dataclasses import dataclass
from typing import Any

import numpy as np

# Above so many classes the share of images whose class is among the five
# most probable says something.
TOP_5_ABOVE = 10
# A probability below this counts as this in the loss, as in Keras.
SMALLEST = 1e-7


@dataclass(frozen=True)
class Scores:
    """`summary` is what reports/metrics.json holds of them; `classes` has
    (precision, recall, f1, support) a class; `confusion` counts images, int64
    (classes, classes), a row a true class; `predicted` is int64 (n,)."""

    summary: dict[str, Any]
    classes: list[tuple[float, float, float, int]]
    confusion: np.ndarray
    predicted: np.ndarray


def score(labels: np.ndarray, probabilities: np.ndarray) -> Scores:
    """Score the predictions of a test part.

    A class that is never predicted has precision 0, one without an image has
    recall 0, and both count in the macro averages. The loss is the mean cross
    entropy, without label smoothing.

    Args:
        labels: one-hot float32 (n, classes).
        probabilities: float32 (n, classes), rows that sum to 1.
    """
    classes = labels.shape[1]
    true = labels.argmax(axis=1)
    predicted = probabilities.argmax(axis=1)
    of_true = probabilities[np.arange(len(true)), true].astype("float64")
    # By hand: scikit-learn's import takes more than a second.
    pairs = np.bincount(true * classes + predicted, minlength=classes * classes)
    confusion = pairs.reshape(classes, classes)
    hits, support, taken = confusion.diagonal(), confusion.sum(axis=1), confusion.sum(axis=0)
    precision, recall = _shares(hits, taken), _shares(hits, support)
    f1 = _shares(2 * hits, support + taken)
    summary: dict[str, Any] = {
        "accuracy": float(np.mean(true == predicted)),
        "loss": float(-np.log(np.clip(of_true, SMALLEST, 1.0)).mean()),
        "precision": float(precision.mean()),
        "recall": float(recall.mean()),
        "f1": float(f1.mean()),
        "weighted": {
            name: float(np.average(values, weights=support))
            for name, values in (("precision", precision), ("recall", recall), ("f1", f1))
        },
        "images": len(true),
    }
    if classes > TOP_5_ABOVE:
        above = (probabilities > of_true.astype("float32")[:, None]).sum(axis=1)
        summary["top_5"] = float(np.mean(above < 5))
    return Scores(
        summary=summary,
        classes=[
            (float(p), float(r), float(f), int(s))
            for p, r, f, s in zip(precision, recall, f1, support, strict=True)
        ],
        confusion=confusion,
        predicted=predicted,
    )


def _shares(counts: np.ndarray, of: np.ndarray) -> np.ndarray:
    """float64 counts / of, 0 where there is nothing to divide by."""
    return np.divide(counts, of, out=np.zeros(len(of)), where=of > 0)
