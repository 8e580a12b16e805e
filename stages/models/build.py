"""From a network's description to a Keras model that takes raw pixels."""

from functools import partial
from typing import Any, TypedDict

import keras

from stages.errors import PipelineError, did_you_mean
from stages.models import architecture, layers
from stages.models.architecture import CHOSEN, MAXOUT_PIECES, Network
from stages.models.presets import PRESETS

LEAKY_RELU_SLOPE = 0.1


class Normalization(TypedDict):
    """`method` is minmax, standard or imagenet; `mean` and `variance`, one a
    channel on the scale 0…255, are used by standard alone."""

    method: str
    mean: list[float]
    variance: list[float]


def build_model(
    name: str,
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    dropout: list[float] | None = None,
    activation: str | None = None,
    normalization: Normalization | None = None,
) -> keras.Model:
    """Build a preset as a Keras model, a plain chain of layers, not compiled.

    Args:
        name: a key of `stages.models.presets.PRESETS`.
        input_shape: (height, width, channels) of the images.
        classes: how many; two make one sigmoid unit for class index 1.
        dropout: one rate for each of the preset's places; None as published.
        activation: takes the place of the relus; None as published.
        normalization: the first layer; None builds the model without one, for
            inputs that are normalised already.

    Returns:
        (n, height, width, channels) uint8 pixels to (n, classes) float32
        probabilities, (n, 1) for two classes.

    Raises:
        PipelineError: an unknown preset, dropouts of the wrong number, or an
            input that is too small.
    """
    if name not in PRESETS:
        raise PipelineError(f"model: {name}: unknown model{did_you_mean(name, PRESETS)}")
    preset = PRESETS[name]
    network = preset.base + preset.network
    rates = architecture.dropout_rates(network)
    if dropout is not None and len(dropout) != len(rates):
        raise PipelineError(f"dropout: {len(dropout)} rates for {name}, which has {len(rates)}")
    if dropout is not None:
        network = architecture.with_dropout(network, dropout)
    network = architecture.with_output(network, classes)
    activation = activation or preset.published.activation
    list(architecture.trace(network, input_shape, activation))  # says what is too small
    dtype = "uint8" if normalization else keras.config.floatx()
    inputs = keras.Input(input_shape, dtype=dtype, name="pixels")
    outputs = inputs
    if normalization:
        outputs = _normalization_layer(normalization)(outputs)
    for layer in _layers(network, activation):
        outputs = layer(outputs)
    return keras.Model(inputs, outputs, name=name)


def chain(model: keras.Model, start: int, stop: int | None = None) -> keras.Model:
    """The layers [start:stop] of a model that is a plain chain, sharing its weights.

    Layer 0 is the input. The result takes what layer `start` takes.
    """
    part = model.layers[start:stop]
    before = part[0].input
    inputs = keras.Input(before.shape[1:], dtype=before.dtype)
    outputs = inputs
    for layer in part:
        outputs = layer(outputs)
    return keras.Model(inputs, outputs)


def _normalization_layer(normalization: Normalization) -> keras.layers.Layer:
    method = normalization["method"]
    if method == "minmax":
        return keras.layers.Rescaling(1 / 255, name="normalization")
    if method == "standard":
        return keras.layers.Normalization(
            mean=normalization["mean"], variance=normalization["variance"], name="normalization"
        )
    return layers.ImageNetMeans(name="normalization")


def _layers(network: Network, activation: str) -> list[keras.layers.Layer]:
    result: list[keras.layers.Layer] = []
    for layer in architecture.named(network):
        match layer:
            case architecture.Conv():
                convolution = partial(
                    keras.layers.Conv2D, kernel_size=layer.kernel, padding=layer.padding
                )
                result += _weighted(convolution, layer.filters, layer, activation)
            case architecture.Dense():
                result += _weighted(keras.layers.Dense, layer.units, layer, activation)
            case architecture.Pool():
                pool = layers.PaddedMaxPooling2D if layer.padded else keras.layers.MaxPooling2D
                result.append(pool(name=layer.name))
            case architecture.Dropout():
                result.append(keras.layers.Dropout(layer.rate, name=layer.name))
            case architecture.Flatten():
                result.append(keras.layers.Flatten(name=layer.name))
    return result


def _weighted(
    kind: Any, size: int, layer: architecture.Conv | architecture.Dense, chosen: str
) -> list[keras.layers.Layer]:
    """A layer with weights and what follows it, so that its activation is the chosen one."""
    activation = chosen if layer.activation == CHOSEN else layer.activation
    if activation == "maxout":
        return [
            kind(size * MAXOUT_PIECES, name=layer.name),
            layers.Maxout(name=f"{layer.name}_maxout"),
        ]
    if activation == "leaky_relu":
        return [
            kind(size, name=layer.name),
            keras.layers.LeakyReLU(LEAKY_RELU_SLOPE, name=f"{layer.name}_leaky_relu"),
        ]
    # Probabilities keep their digits in mixed precision too.
    dtype = "float32" if layer.name == "output" else None
    return [kind(size, activation=activation, dtype=dtype, name=layer.name)]
