"""A temperature that brings probabilities to how often they are right.

Guo and others, arXiv 1706.04599; `pipeline.networks.temperature` has it as a layer.
"""

import numpy as np

SMALLEST = 1e-7  # a probability below this counts as this, as in the loss
# The temperatures that are looked through. Validation images that are all named rightly would
# have one of 0, which no probability could be brought back from.
_LOWEST, _HIGHEST = 0.25, 20.0


def fit_temperature(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """The temperature with the lowest log loss, to four digits.

    The loss is convex in 1 / temperature, and its slope the difference between the scores that
    are expected and those of the true classes: bisection finds where that is 0.

    Args:
        probabilities: (n, classes), rows that sum to 1; n at least 1.
        labels: (n,) integer.
    """
    logs = np.log(np.clip(probabilities.astype("float64"), SMALLEST, 1.0))
    true = logs[np.arange(len(labels)), labels].mean()
    low, high = np.log(1 / _HIGHEST), np.log(1 / _LOWEST)
    while high - low > 1e-5:
        middle = (low + high) / 2
        expected = (_softmax(logs * np.exp(middle)) * logs).sum(axis=1).mean()
        low, high = (middle, high) if expected < true else (low, middle)
    return float(f"{np.exp(-(low + high) / 2):.4g}")


def at_temperature(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """(n, classes) probabilities at another temperature, float64."""
    logs = np.log(np.clip(probabilities.astype("float64"), SMALLEST, 1.0))
    return _softmax(logs / temperature)


def _softmax(scores: np.ndarray) -> np.ndarray:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares: np.ndarray = powers / powers.sum(axis=1, keepdims=True)
    return shares
