"""How unlike the training images an image is: Mahalanobis' distance in the network's features.

Lee and others, arXiv 1807.03888: the distance to the nearest class's mean, by the covariance
that the classes share. The features are the last maps, averaged over the picture, as square
roots (what is counted, and seldom large, varies more evenly so).
"""

from dataclasses import dataclass

import numpy as np

WIDTH = 256  # features at most; of more each is a sum of several with random signs
SAMPLED = 1_000  # training images at least that are looked at
PER_CLASS = 20
EXPECTED = 0.05  # of the validation images lie beyond the threshold
_SHRINKAGE = 0.1  # of the mean variance, on the diagonal
_DIGITS = 4  # kept of each number, so that another processor gives the same bytes


@dataclass(frozen=True)
class Unlike:
    """`means` float32 (classes, d) of those that were seen, `precision` float32 (d, d), the
    inverse of the covariance, and the distance above which an image is unlike."""

    means: np.ndarray
    precision: np.ndarray
    threshold: float

    def distances(self, features: np.ndarray) -> np.ndarray:
        """(n, channels) averages of maps, as the network gives them, to float64 (n,)."""
        return _distances(_prepared(features), self.means, self.precision)


def sample(images: int, classes: int) -> np.ndarray:
    """The positions of the training images that are looked at, evenly spread, int64."""
    count = min(images, max(SAMPLED, PER_CLASS * classes))
    return np.linspace(0, images - 1, count).astype("int64")


def fit(training: np.ndarray, labels: np.ndarray, validation: np.ndarray) -> Unlike:
    """Learn what is usual.

    Args:
        training: float32 (n, channels), averages of maps, of training images; labels (n,).
        validation: float32 (m, channels): EXPECTED of them are to be called unlike.
    """
    points = _prepared(training)
    present = np.unique(labels)
    means = np.stack([points[labels == label].mean(axis=0) for label in present])
    rest = points - means[np.searchsorted(present, labels)]
    # Without BLAS, whose sums depend on the number of cores.
    covariance = np.einsum("ni,nj->ij", rest, rest, optimize=False) / len(rest)
    scale = float(np.trace(covariance)) / len(covariance) or 1.0
    precision = _lasting(np.linalg.inv(covariance + _SHRINKAGE * scale * np.eye(len(covariance))))
    means = _lasting(means)
    usual = _distances(_prepared(validation), means, precision)
    return Unlike(means, precision, float(_lasting(np.quantile(usual, 1 - EXPECTED))))


def _distances(points: np.ndarray, means: np.ndarray, precision: np.ndarray) -> np.ndarray:
    nearest = np.full(len(points), np.inf)
    for mean in means.astype("float64"):
        apart = points - mean
        nearest = np.minimum(nearest, ((apart @ precision.astype("float64")) * apart).sum(axis=1))
    return nearest


def _prepared(features: np.ndarray) -> np.ndarray:
    """float64 (n, up to WIDTH), with signed square roots."""
    values = features.astype("float64")
    if values.shape[1] > WIDTH:
        generator = np.random.RandomState(0)
        groups = -(-values.shape[1] // WIDTH)
        values = np.pad(values, ((0, 0), (0, groups * WIDTH - values.shape[1])))
        order = generator.permutation(values.shape[1])
        signs = generator.choice([-1.0, 1.0], values.shape[1])
        values = (values * signs)[:, order].reshape(len(values), groups, WIDTH).sum(axis=1)
    return np.sign(values) * np.sqrt(np.abs(values))


def _lasting(values: np.ndarray) -> np.ndarray:
    """The first digits, float32."""
    numbers = np.asarray(values, "float64")
    sizes = np.where(numbers == 0, 1, np.abs(numbers))
    step = 10.0 ** (np.floor(np.log10(sizes)) - _DIGITS + 1)
    return (np.round(numbers / step) * step).astype("float32")
