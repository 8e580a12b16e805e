"""What an exported file has to give before it is kept."""

from typing import Any

import numpy as np

from pipeline.errors import PipelineError

IMAGES = 256
TOLERANCE = 1e-4
# Points of test accuracy that fewer bits may cost.
MOST_LOST = 0.5


def spread_out(count: int, most: int = IMAGES) -> np.ndarray:
    """Positions of at most so many of `count` images, spread over all."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(int))


def check_same(name: str, found: np.ndarray, expected: np.ndarray) -> dict[str, Any]:
    """Compare the probabilities of test images with the float32 model's; both (n, classes).

    Raises:
        PipelineError: one differs by more than `TOLERANCE`, or a class is another one.
    """
    different = int((found.argmax(axis=1) != expected.argmax(axis=1)).sum())
    largest = float(np.abs(found.astype("float64") - expected).max())
    if not largest <= TOLERANCE or different:
        raise PipelineError(
            f"{name}: on {len(expected)} test images the file's probabilities differ from the "
            f"model's by up to {largest:.1e} and {different} classes are others; it is not kept "
            f"(at most {TOLERANCE:g} and none would be right)"
        )
    return {"images": len(expected), "largest_difference": float(f"{largest:.1g}")}


def check_features(name: str, found: np.ndarray, expected: np.ndarray) -> None:
    """Compare the features of images with the float32 model's; both (n, d).

    Raises:
        PipelineError: one differs by more than `TOLERANCE` of the largest.
    """
    difference = features_apart(found, expected)
    if not difference <= TOLERANCE:
        raise PipelineError(
            f"{name}: on {len(expected)} test images the file's features differ from the model's "
            f"by up to {difference:.1e} of the largest; it is not kept (at most {TOLERANCE:g} "
            "would be right)"
        )


def features_apart(found: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference, as a share of the largest value."""
    return float(np.abs(found - expected).max() / max(float(np.abs(expected).max()), 1e-9))


def check_accuracy(
    name: str, found: np.ndarray, expected: np.ndarray, labels: np.ndarray
) -> dict[str, Any]:
    """Compare the accuracy on the whole test part with the float32 model's.

    Args:
        found, expected: probabilities (n, classes); labels: classes (n,).

    Raises:
        PipelineError: it is more than half a point lower.
    """
    own, before = (float((table.argmax(axis=1) == labels).mean()) for table in (found, expected))
    if not 100 * (before - own) <= MOST_LOST + 1e-9:
        raise PipelineError(
            f"{name}: test accuracy falls from {before:.4f} to {own:.4f} on {len(labels)} images, "
            f"by more than {MOST_LOST} points; it is not kept: take the file without --quantize"
        )
    return {"images": len(labels), "accuracy": round(own, 6), "float32_accuracy": round(before, 6)}
