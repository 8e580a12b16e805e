"""How unlike the training images an image is: how far its nearest are in the network's features.

Sun and others, arXiv 2204.06507: features of length 1, the distance to the k-th nearest training
image. The features are the last maps, averaged over the picture. Mahalanobis' distance with a
covariance that the classes share, arXiv 1807.03888, told CIFAR-100 from CIFAR-10 worse
(docs/trust.md).
"""

from dataclasses import dataclass

import numpy as np

WIDTH = 256  # features at most; of more each is a sum of several with random signs
SAMPLED = 1_000  # training images at least that are kept
PER_CLASS = 20
NEAREST = 5  # k
EXPECTED = 0.05  # of the validation images lie beyond the threshold
_STEP = 1024  # images compared at a time


@dataclass(frozen=True)
class Unlike:
    """`points`, float16 (k, d), are training images' features of length 1; an image farther from
    them than `threshold` is unlike them."""

    points: np.ndarray
    threshold: float

    def distances(self, features: np.ndarray) -> np.ndarray:
        """(n, channels) averages of maps, as the network gives them, to float64 (n,)."""
        return _distances(_prepared(features), self.points)


def sample(images: int, classes: int) -> np.ndarray:
    """The positions of the training images that are looked at, evenly spread, int64."""
    count = min(images, max(SAMPLED, PER_CLASS * classes))
    return np.linspace(0, images - 1, count).astype("int64")


def fit(training: np.ndarray, validation: np.ndarray) -> Unlike:
    """Learn what is usual.

    Args:
        training: float32 (n, channels), averages of maps, of training images.
        validation: float32 (m, channels): EXPECTED of them are to be called unlike.
    """
    # Half precision is small, and the same bytes on another processor but for a rare rounding.
    points = _prepared(training).astype("float16")
    usual = np.quantile(_distances(_prepared(validation), points), 1 - EXPECTED)
    return Unlike(points, float(f"{usual:.4g}"))


def _distances(found: np.ndarray, points: np.ndarray) -> np.ndarray:
    known = points.astype("float64").T
    nearest = min(NEAREST, known.shape[1])
    parts = []
    for start in range(0, len(found), _STEP):
        cosines = found[start : start + _STEP] @ known
        parts.append(np.partition(cosines, -nearest, axis=1)[:, -nearest])
    return np.sqrt(np.maximum(2 - 2 * np.concatenate(parts), 0))


def _prepared(features: np.ndarray) -> np.ndarray:
    """float64 (n, up to WIDTH), of length 1."""
    values = features.astype("float64")
    if values.shape[1] > WIDTH:
        generator = np.random.RandomState(0)
        groups = -(-values.shape[1] // WIDTH)
        values = np.pad(values, ((0, 0), (0, groups * WIDTH - values.shape[1])))
        order = generator.permutation(values.shape[1])
        signs = generator.choice([-1.0, 1.0], values.shape[1])
        values = (values * signs)[:, order].reshape(len(values), groups, WIDTH).sum(axis=1)
    return values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-9)
