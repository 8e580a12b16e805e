"""A model's layers as a table, read off the model itself: it cannot say anything else."""

from math import prod
from typing import Any, TypedDict

import keras

from pipeline.networks.layers import ImageNetMeans, Maxout, PaddedMaxPooling2D, QuickGelu
from pipeline.networks.temperature import Temperature
from pipeline.networks.views import MeanOfViews, Views


class Row(TypedDict):
    """One layer.

    `kind` is its class in Keras, `what` the same in words, `output` its output's
    shape without the batch, `parameters` the numbers in it, `trained` yes, no, or
    empty where there is nothing to train.
    """

    name: str
    kind: str
    what: str
    output: list[int]
    parameters: int
    trained: str


def layer_rows(model: keras.Model) -> list[Row]:
    """A row for each layer that does something, from the input to the output."""
    return [
        Row(
            name=layer.name,
            kind=type(layer).__name__,
            what=describe(layer),
            output=[int(length) for length in layer.output.shape[1:]],
            parameters=layer.count_params(),
            trained=("yes" if layer.trainable_weights else "no") if layer.weights else "",
        )
        for layer in model.layers
        if not isinstance(layer, keras.layers.InputLayer)
    ]


def count_weights(model: keras.Model) -> dict[str, int]:
    """How many numbers the model has, and how many of them were trained in its last phase."""

    def count(weights: list[Any]) -> int:
        return sum(prod(weight.shape) for weight in weights)

    return {"total": count(model.weights), "trainable": count(model.trainable_weights)}


def describe(layer: keras.layers.Layer) -> str:
    """A layer in words: 'convolution, 64 filters of 3×3, same, relu'."""
    match layer:
        case keras.layers.Rescaling():
            offset = f", {layer.offset:+g}" if layer.offset else ""
            return f"pixels divided by {1 / layer.scale:g}{offset}"
        case keras.layers.Normalization():
            return "each channel to mean 0 and variance 1"
        case ImageNetMeans():
            return "blue, green, red, less the means of ImageNet"
        case Views():
            return f"{layer.views} views of each image"
        case MeanOfViews():
            return "the mean of what is said of the views"
        case Temperature():
            return f"the probabilities at temperature {layer.temperature:g}"
        case keras.layers.Conv2D():
            return _convolution(layer)
        case keras.layers.DepthwiseConv2D() | keras.layers.SeparableConv2D():
            return _by_channel(layer)
        case keras.layers.Dense():
            noun = "unit" if layer.units == 1 else "units"
            return _joined(f"dense, {layer.units} {noun}", _bias(layer), _activation(layer))
        case keras.layers.BatchNormalization():
            return _joined("batch normalisation", "" if layer.scale else "without a scale")
        case keras.layers.MaxPooling2D():
            return f"the largest of each {_size(layer.pool_size)}"
        case PaddedMaxPooling2D():
            return "the largest of each 2×2, with a border of −∞"
        case keras.layers.Add():
            return "the sum of the branches"
        case keras.layers.Concatenate():
            return "the branches' channels side by side"
        case keras.layers.GlobalMaxPooling2D():
            return "the largest value of each map"
        case keras.layers.GlobalAveragePooling2D():
            return "the mean of each map"
        case keras.layers.Dropout():
            return f"dropout, {layer.rate:g} of the values"
        case keras.layers.Flatten():
            return "maps to one vector"
        case keras.layers.Activation():
            return _activation(layer)
        case keras.layers.LeakyReLU():
            return f"leaky_relu of slope {layer.negative_slope:g}"
        case Maxout():
            return "the larger of each pair of channels"
        case QuickGelu():
            return "quick_gelu"
    return type(layer).__name__


def _convolution(layer: keras.layers.Conv2D) -> str:
    size = _size(layer.kernel_size)
    if layer.name == "whitening":
        return _joined(f"whitening of {size} patches, fitted on the training images", _bias(layer))
    stride = "" if set(layer.strides) == {1} else f"stride {layer.strides[0]}"
    filters = f"convolution, {layer.filters} filters of {size}"
    return _joined(filters, layer.padding, stride, _bias(layer), _activation(layer))


def _by_channel(layer: Any) -> str:
    size = _size(layer.kernel_size)
    stride = "" if set(layer.strides) == {1} else f"stride {layer.strides[0]}"
    if isinstance(layer, keras.layers.DepthwiseConv2D):
        return _joined(f"convolution of each channel, {size}", layer.padding, stride, _bias(layer))
    each = f"convolution of each channel, {size}, then {layer.filters} filters of 1×1"
    return _joined(each, layer.padding, stride, _bias(layer), _activation(layer))


def _activation(layer: Any) -> str:
    return str(keras.activations.serialize(layer.activation))


def _bias(layer: Any) -> str:
    return "" if layer.use_bias else "without bias"


def _size(sides: tuple[int, ...]) -> str:
    return "×".join(map(str, sides))


def _joined(*parts: str) -> str:
    return ", ".join(part for part in parts if part)
