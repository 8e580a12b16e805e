"""Where a classifier is wrong and most sure of it."""

import numpy as np

from pipeline.networks.predicting import both_columns


def worst_mistakes(labels: np.ndarray, probabilities: np.ndarray, count: int) -> np.ndarray:
    """The positions of wrong predictions, most confident first.

    Args:
        labels: (n,) integer class indices.
        probabilities: (n, classes), or (n, 1) for two classes (of class 1;
            0.5 counts for class 0, as in Keras' accuracy).
        count: how many at most.

    Returns:
        (at most count,) int64 positions; equally confident ones in order.
    """
    both = both_columns(probabilities)
    predictions = predicted_classes(probabilities)
    wrong = np.flatnonzero(predictions != labels)
    confidence = both[wrong, predictions[wrong]]
    return wrong[np.argsort(-confidence, kind="stable")][:count]


def predicted_classes(probabilities: np.ndarray) -> np.ndarray:
    """(n, classes) or (n, 1) probabilities to (n,) class indices."""
    if probabilities.shape[1] == 1:
        return (probabilities[:, 0] > 0.5).astype(np.int64)
    return probabilities.argmax(axis=1)
