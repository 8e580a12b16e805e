"""Whether probabilities mean what they say: calibration error and log loss, with intervals."""

from collections.abc import Callable

import numpy as np

from pipeline.evaluation.calibration import SMALLEST

BINS = 15  # as Guo and others, arXiv 1706.04599
RESAMPLES = 200


def log_loss(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(n,) what each image adds to the cross entropy."""
    of_true = probabilities[np.arange(len(labels)), labels].astype("float64")
    return -np.log(np.clip(of_true, SMALLEST, 1.0))


def calibration_error(confidence: np.ndarray, right: np.ndarray, bins: int = BINS) -> float:
    """The mean gap between confidence and accuracy over equal bins, weighted by their images.

    Args:
        confidence: (n,) the probability of the predicted class.
        right: (n,) bool.
    """
    position = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    gap = np.bincount(position, weights=right - confidence.astype("float64"), minlength=bins)
    return float(np.abs(gap).sum() / max(len(confidence), 1))


def bootstrap(
    figure: Callable[[np.ndarray], float], images: int, resamples: int = RESAMPLES
) -> tuple[float, float]:
    """The 95% interval of a figure of the test images, which are drawn again with replacement.

    Args:
        figure: of the drawn images' positions, (images,) int.
    """
    generator = np.random.RandomState(0)  # the report is the same bytes each time
    found = [figure(generator.randint(0, images, images)) for _ in range(resamples)]
    low, high = np.percentile(found, [2.5, 97.5])
    return float(low), float(high)


def described(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, float | list[float]]:
    """Calibration error and log loss with their intervals, as the report has them."""
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    losses = log_loss(probabilities, labels)
    images = len(labels)
    error = bootstrap(lambda rows: calibration_error(confidence[rows], right[rows]), images)
    loss = bootstrap(lambda rows: float(losses[rows].mean()), images)
    return {
        "error": calibration_error(confidence, right),
        "error_interval": list(error),
        "loss": float(losses.mean()),
        "loss_interval": list(loss),
    }
