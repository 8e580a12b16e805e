"""Sets of classes that hold the right one as often as promised: split conformal prediction.

Vovk, Gammerman and Shafer, 2005; the score 1 − p of the right class gives the smallest sets
(Sadinle, Lei and Wasserman, arXiv 1609.00451). The validation images, which the network did
not learn, say how low the right class's probability can be. The promise holds on average over
images that are drawn as those were.
"""

from math import ceil

import numpy as np

from pipeline.errors import PipelineError


def nonconformity(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """1 − the probability of the right class, float32 (n,), in rising order.

    Args:
        probabilities: float32 (n, classes).
        labels: (n,) integer.
    """
    return np.sort(1 - probabilities[np.arange(len(labels)), labels].astype("float32"))


def threshold(scores: np.ndarray, coverage: float) -> float:
    """The score up to which a class belongs to the set.

    Args:
        scores: see `nonconformity`.
        coverage: the share of sets that are to hold the right class.

    Raises:
        PipelineError: no share that can be promised, at all or with so few images.
    """
    if not 0 < coverage < 1:
        raise PipelineError(
            f"--coverage: {coverage:g}: expected a share above 0 and below 1, such as 0.95; "
            "only the set of all classes holds the right one always"
        )
    # Rounded first: 0.95 · 1200 is 1140.0000000000002 nowhere but in a float.
    wanted = ceil(round(coverage * (len(scores) + 1), 9))
    if wanted > len(scores):
        most = len(scores) / (len(scores) + 1)
        raise PipelineError(
            f"--coverage: {coverage:g}: {len(scores)} validation images can promise "
            f"{np.floor(most * 1000) / 1000:g} at most; make it smaller"
        )
    return float(scores[wanted - 1])


def sets(probabilities: np.ndarray, limit: float) -> np.ndarray:
    """Which classes belong to each image's set, bool (n, classes): never none.

    The most probable class always does, so the sets of a model that is right more often than
    promised hold the right class more often, too.
    """
    inside = 1 - probabilities.astype("float32") <= np.float32(limit)
    inside[np.arange(len(probabilities)), probabilities.argmax(axis=1)] = True
    return inside
