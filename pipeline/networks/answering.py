"""A model that says beside its probabilities what it saw: the features of one layer."""

from typing import Any

import keras
import numpy as np

from pipeline.networks import graph
from pipeline.networks.predicting import both_columns


def features_layer(model: keras.Model, start: str | None = None) -> str:
    """The last layer that gives maps; without one the last that the output layer reads.

    Args:
        start: the layer whose output is kept; where that is a vector, it is the one.
    """
    if start and len(model.get_layer(start).output.shape) == 2:
        return start
    maps = [layer.name for layer in model.layers if len(layer.output.shape) == 4]
    return maps[-1] if maps else model.layers[-2].name


def answering(model: keras.Model, layer: str, start: str | None = None) -> keras.Model:
    """The outputs and the features in one float32 tensor (n, outputs + d); see `divided`.

    Args:
        model: sees an image once (`pipeline.networks.building.single_view`).
        layer: whose maps are averaged over the picture, or whose values are taken as they are.
        start: the layer whose output is given; None for pixels.
    """
    tensors = graph.outputs(model)
    features = tensors[layer]
    if len(features.shape) == 4:
        features = keras.layers.GlobalAveragePooling2D(dtype="float32", name="averaged")(features)
    both = keras.layers.Concatenate(dtype="float32", name="answers")([model.output, features])
    return keras.Model(tensors[start] if start else model.input, both)


def divided(both: np.ndarray, outputs: int) -> tuple[np.ndarray, np.ndarray]:
    """What `answering` gives as probabilities (n, classes) and features (n, d)."""
    return both_columns(both[:, :outputs]), both[:, outputs:]


def outputs_of(model: Any) -> int:
    """How many numbers a model gives for an image."""
    return int(model.output_shape[-1])
