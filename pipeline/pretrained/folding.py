"""A frozen base that computes the same with less: batch normalisations folded into kernels.

In inference a batch normalisation multiplies each channel by a number and adds another. Where
it follows a convolution, the kernel and the bias can hold both. TensorFlow then runs
convolution, bias and activation as one operation; docs/decisions.md says what that is worth,
and what other engines are.
"""

from typing import Any

import keras
import numpy as np

_CONVOLUTIONS = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.SeparableConv2D)


def folded(model: keras.Model) -> keras.Model:
    """A model of the same numbers, to rounding, with fewer layers.

    It has weights of its own, for inference alone; a normalisation that follows no
    convolution, or one that something else reads too, stays. Where there is none to
    fold it is the model itself.
    """
    pairs = foldable(model)
    if not pairs:
        return model
    gone = {norm.name for norm in pairs.values()}

    def clone(layer: keras.layers.Layer) -> keras.layers.Layer:
        config = layer.get_config()
        if layer.name in pairs:
            config["use_bias"] = True
        return type(layer).from_config(config)

    def call(layer: keras.layers.Layer, *inputs: Any, **options: Any) -> Any:
        return inputs[0] if layer.name in gone else layer(*inputs, **options)

    result = keras.models.clone_model(model, clone_function=clone, call_function=call)
    for layer in result.layers:
        if not layer.weights:
            continue
        weights = model.get_layer(layer.name).get_weights()
        if layer.name in pairs:
            weights = _with_norm(layer, weights, pairs[layer.name])
        layer.set_weights(weights)
    return result


def foldable(model: keras.Model) -> dict[str, keras.layers.BatchNormalization]:
    """The convolutions by name that have a normalisation to fold: linear, and read by it alone."""
    readers: dict[int, list[Any]] = {id(tensor): [None] for tensor in model.outputs}
    nodes = [node for nodes in model._nodes_by_depth.values() for node in nodes]
    for node in nodes:
        for tensor in node.input_tensors:
            readers.setdefault(id(tensor), []).append(node.operation)
    found = {}
    for node in nodes:
        layer = node.operation
        if not isinstance(layer, _CONVOLUTIONS) or layer.activation is not keras.activations.linear:
            continue
        reader, *others = readers.get(id(node.outputs[0]), [None])
        if isinstance(reader, keras.layers.BatchNormalization) and not others:
            found[layer.name] = reader
    return found


def _with_norm(
    layer: keras.layers.Layer, weights: list[np.ndarray], norm: keras.layers.BatchNormalization
) -> list[np.ndarray]:
    """A convolution's kernels and bias, each channel scaled and moved by its normalisation."""

    def values(variable: Any, otherwise: float) -> Any:
        if variable is None:
            return np.float64(otherwise)
        return keras.ops.convert_to_numpy(variable).astype("float64")

    scale = values(norm.gamma, 1) / np.sqrt(values(norm.moving_variance, 1) + norm.epsilon)
    # All kernels but the last stay: a separable convolution has two. A bias comes after them.
    *first, kernel = weights[: len(layer.weights) - 1]
    bias = weights[-1] if len(weights) == len(layer.weights) else 0.0
    depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
    # (height, width, in, multiplier) for a depthwise one, whose channels are in × multiplier.
    kernel = kernel * (scale.reshape(kernel.shape[2:]) if depthwise else scale)
    bias = (bias - values(norm.moving_mean, 0)) * scale + values(norm.beta, 0)
    return [*first, kernel.astype("float32"), bias.astype("float32")]
