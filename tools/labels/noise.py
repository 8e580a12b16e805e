"""From out-of-fold logits to probabilities, where some of the labels are wrong.

Of a label it is assumed that it is wrong with one probability, the noise, and
then any other class. Noise and the sharpness of the probabilities are fitted to
the labels as they are, by likelihood: without the noise, confident judges would
be flattened until they allow for the wrong labels.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

SHARPNESS = tuple(np.geomspace(0.03, 3, 41).tolist())
NOISE = (0.0, *np.geomspace(0.001, 0.4, 40).tolist())
# Where nothing is known of the labels, these are enough to tell.
_MOST = 20_000


@dataclass(frozen=True)
class Judgement:
    """`probabilities` of the classes, float64 (n, classes), and of each label that it is `wrong`,
    (n,); `noise` is the share of wrong labels, `loss` the log loss of the labels."""

    probabilities: Array
    wrong: Array
    noise: float
    loss: float


def fit(logits: Array, labels: npt.NDArray[np.int64]) -> Judgement:
    """The most likely sharpness and noise, and what follows of each image."""
    classes = logits.shape[1]
    some = slice(None, None, max(1, len(labels) // _MOST))
    best = (np.inf, 1.0, 0.0)
    for sharpness in SHARPNESS:
        own = _of_label(_softmax(sharpness * logits[some]), labels[some])
        for noise in NOISE:
            loss = -float(np.log(_given(own, noise, classes)).mean())
            best = min(best, (loss, sharpness, noise))
    loss, sharpness, noise = best
    probabilities = _softmax(sharpness * logits)
    own = _of_label(probabilities, labels)
    wrong = 1 - (1 - noise) * own / _given(own, noise, classes)
    return Judgement(probabilities, np.clip(wrong, 0, 1), noise, loss)


def _given(own: Array, noise: float, classes: int) -> Array:
    """How likely the labels are that were given, by the probabilities of the classes they name."""
    return np.asarray((1 - noise) * own + noise * (1 - own) / (classes - 1) + 1e-12)


def _of_label(probabilities: Array, labels: npt.NDArray[np.int64]) -> Array:
    return np.asarray(probabilities[np.arange(len(labels)), labels])


def _softmax(logits: Array) -> Array:
    grown = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(grown / grown.sum(axis=1, keepdims=True))
