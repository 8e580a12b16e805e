"""The feature maps that a network makes of one image."""

from typing import Any

import keras
import numpy as np

from pipeline.errors import PipelineError
from pipeline.networks import graph
from pipeline.networks.layers import Maxout, QuickGelu

# What counts with the convolution that it follows, as a built-in relu does.
_FOLLOWERS = (
    keras.layers.BatchNormalization,
    keras.layers.Activation,
    keras.layers.ReLU,
    keras.layers.LeakyReLU,
    Maxout,
    QuickGelu,
)


def map_layers(model: keras.Model) -> list[tuple[str, keras.layers.Layer]]:
    """The convolution and pooling layers, in order: the name, and the layer whose output counts.

    A convolution counts with the normalisation and the activation that follow it as
    layers of their own, and with the pooling that is named after it (`conv_1_pool`). The
    single numbers a channel by which a branch weighs the maps beside it (squeeze and excite)
    are no maps.
    """
    found: list[tuple[str, keras.layers.Layer]] = []
    counted: set[str] = set()
    for layer in model.layers:
        if layer.name in counted or not (_is_convolution(layer) or _is_pooling(layer)):
            continue
        if tuple(layer.output.shape[1:3]) == (1, 1) and layer.name not in graph.cuts(model):
            continue
        last = layer
        while (follower := _only_reader(model, last)) is not None and (
            isinstance(follower, _FOLLOWERS) or follower.name.startswith(f"{layer.name}_")
        ):
            last = follower
            counted.add(last.name)
        found.append((layer.name, last))
    return found


def last_maps(model: keras.Model) -> keras.layers.Layer | None:
    """The layer whose maps everything above the convolutions reads; None without convolutions.

    That of the last convolution; where it stands in a branch, the one at which the
    branches have met again.
    """
    convolutions = {layer.name for layer in model.layers if _is_convolution(layer)}
    found = [layer for name, layer in map_layers(model) if name in convolutions]
    if not found:
        return None
    divided = set(graph.cuts(model))
    names = [layer.name for layer in model.layers]
    last = names.index(found[-1].name)
    above = [each for each in model.layers[last:] if each.name in divided and _gives_maps(each)]
    below = [each for each in model.layers[:last] if each.name in divided and _gives_maps(each)]
    return above[0] if above else below[-1] if below else None


def activations(model: keras.Model, image: np.ndarray, count: int = 8) -> dict[str, np.ndarray]:
    """The outputs of the first `count` convolution and pooling layers for one image.

    Args:
        model: takes raw pixels.
        image: (H, W, C) uint8.
        count: how many layers at most.

    Returns:
        the layers' names, in order, with float32 (h, w, c) each.

    Raises:
        PipelineError: the image has another shape than the model takes.
    """
    if image.shape != tuple(model.input_shape[1:]):
        raise PipelineError(
            f"explain_image: an image of shape {image.shape} does not fit the model, "
            f"which takes {tuple(model.input_shape[1:])}"
        )
    chosen = map_layers(model)[:count]
    if not chosen:
        return {}
    tensors = graph.outputs(model)
    part = keras.Model(model.input, {name: tensors[layer.name] for name, layer in chosen})
    values = part(keras.ops.convert_to_tensor(image[np.newaxis]), training=False)
    return {
        name: keras.ops.convert_to_numpy(keras.ops.cast(values[name][0], "float32"))
        for name, _ in chosen
    }


def _only_reader(model: keras.Model, layer: keras.layers.Layer) -> Any:
    """The one layer that reads another's output in this model; None for several, or the last."""
    wanted = id(graph.outputs(model)[layer.name])
    readers = [
        node.operation
        for nodes in model._nodes_by_depth.values()
        for node in nodes
        if any(id(tensor) == wanted for tensor in node.input_tensors)
    ]
    return readers[0] if len(readers) == 1 else None


def _is_convolution(layer: keras.layers.Layer) -> bool:
    return "Conv" in type(layer).__name__ and _gives_maps(layer)


def _is_pooling(layer: keras.layers.Layer) -> bool:
    return "Pooling" in type(layer).__name__ and _gives_maps(layer)


def _gives_maps(layer: keras.layers.Layer) -> bool:
    return len(layer.output.shape) == 4  # a global pooling gives vectors
