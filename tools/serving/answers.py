"""Probabilities to classes."""

from collections.abc import Sequence
from typing import Any

import numpy as np

UNLIKE = "unlike_training"  # what it is called in JSON and in tables


def top(row: np.ndarray, classes: Sequence[str], count: int) -> list[dict[str, Any]]:
    """The most probable classes of one image, most probable first: `class` and `probability`.

    Of equals the first class comes first, as in the pipeline's predictions.csv.
    """
    order = np.argsort(-row, kind="stable")[:count]
    return [{"class": classes[i], "probability": number(row[i])} for i in order]


def number(value: Any) -> float:
    """A float32 with the digits that bring it back, and no more."""
    return float(f"{value:.9g}")


def input_shape(model: Any) -> tuple[int, int, int]:
    """Height, width and channels that a Keras model of the pipeline takes."""
    _, height, width, channels = model.input_shape
    return height, width, channels
