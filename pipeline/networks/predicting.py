"""What a model says of many inputs, a batch after the other."""

from typing import Any

import numpy as np

# Inputs a step where nothing is learned: validation, test, prediction.
EVALUATION_BATCH = 64


def predict(model: Any, inputs: np.ndarray, batch_size: int = EVALUATION_BATCH) -> np.ndarray:
    """The outputs of a Keras model, float32 (n, outputs).

    For Keras' own `predict`, which can sit idle for as long again as it works
    (`pipeline.backend.feed` says why).

    Args:
        inputs: what the model takes, (n, ...), n at least 1; may be a memory map.
    """
    starts = range(0, len(inputs), batch_size)
    outputs = [model.predict_on_batch(np.asarray(inputs[i : i + batch_size])) for i in starts]
    return np.concatenate(outputs).astype("float32", copy=False)


def both_columns(probabilities: np.ndarray) -> np.ndarray:
    """(n, 1) probabilities of class 1 as (n, 2); those of more classes as they are."""
    if probabilities.shape[1] == 1:
        return np.concatenate([1 - probabilities, probabilities], axis=1)
    return probabilities
