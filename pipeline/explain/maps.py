"""The feature maps that a network makes of one image."""

import keras
import numpy as np

from pipeline.errors import PipelineError


def map_layers(model: keras.Model) -> list[tuple[str, int]]:
    """The convolution and pooling layers, in order: (name, position of the maps).

    The position in `model.layers` is that of the layer whose output counts. A
    convolution with its pooling, normalisation or activation in layers of their
    own, which `pipeline.networks.build` names after it (`conv_1_pool`,
    `conv_1_leaky_relu`), counts with those, as one with a built-in relu does.
    """
    found: list[tuple[str, int]] = []
    for position, layer in enumerate(model.layers):
        counted = found and position <= found[-1][1]
        if counted or not (_is_convolution(layer) or _is_pooling(layer)):
            continue
        last = position
        while last + 1 < len(model.layers) and model.layers[last + 1].name.startswith(
            f"{layer.name}_"
        ):
            last += 1
        found.append((layer.name, last))
    return found


def last_convolution(model: keras.Model) -> int | None:
    """The position of the last convolution's maps in `model.layers`; None without one."""
    convolutions = {layer.name for layer in model.layers if _is_convolution(layer)}
    positions = [position for name, position in map_layers(model) if name in convolutions]
    return positions[-1] if positions else None


def activations(model: keras.Model, image: np.ndarray, count: int = 8) -> dict[str, np.ndarray]:
    """The outputs of the first `count` convolution and pooling layers for one image.

    Args:
        model: a plain chain of layers that takes raw pixels.
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
    wanted = {position: name for name, position in chosen}
    values, maps = keras.ops.convert_to_tensor(image[np.newaxis]), {}
    for position, layer in enumerate(model.layers[: max(wanted) + 1]):
        values = layer(values, training=False) if position else values
        if position in wanted:
            found = keras.ops.cast(values[0], "float32")
            maps[wanted[position]] = keras.ops.convert_to_numpy(found)
    return maps


def _is_convolution(layer: keras.layers.Layer) -> bool:
    return "Conv" in type(layer).__name__ and _gives_maps(layer)


def _is_pooling(layer: keras.layers.Layer) -> bool:
    return "Pooling" in type(layer).__name__ and _gives_maps(layer)


def _gives_maps(layer: keras.layers.Layer) -> bool:
    return len(layer.output.shape) == 4  # a global pooling gives vectors
