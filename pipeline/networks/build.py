"""From a network's description to a Keras model that takes raw pixels."""

from functools import partial
from typing import Any, TypedDict

import keras

from pipeline.errors import PipelineError, did_you_mean
from pipeline.networks import architecture, layers, tracing
from pipeline.networks.architecture import CHOSEN, MAXOUT_PIECES, Network
from pipeline.networks.presets import PRESETS
from pipeline.networks.views import MeanOfViews, Views

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
    views: int = 1,
    mirror: bool = False,
) -> keras.Model:
    """Build a preset as a Keras model, a plain chain of layers, not compiled.

    Args:
        name: a key of `pipeline.networks.presets.PRESETS`.
        input_shape: (height, width, channels) of the images.
        classes: how many; two make one sigmoid unit for class index 1.
        dropout: one rate for each of the preset's places; None as published.
        activation: takes the place of the relus; None as published.
        normalization: the first layer; None builds the model without one, for
            inputs that are normalised already.
        views: of each image that a prediction is the mean of, 1, 2 or 6, and
            `mirror`, whether mirror images are among them (`pipeline.networks.views`).

    Returns:
        (n, height, width, channels) uint8 pixels to (n, classes) float32
        probabilities, (n, 1) for two classes.

    Raises:
        PipelineError: an unknown preset, dropouts of the wrong number, an
            input that is too small, or an activation that does not go with it.
    """
    if name not in PRESETS:
        raise PipelineError(f"model: {name}: unknown model{did_you_mean(name, PRESETS)}")
    preset = PRESETS[name]
    network = preset.base + preset.network
    rates = tracing.dropout_rates(network)
    if dropout is not None and len(dropout) != len(rates):
        raise PipelineError(f"dropout: {len(dropout)} rates for {name}, which has {len(rates)}")
    if dropout is not None:
        network = tracing.with_dropout(network, dropout)
    network = tracing.with_output(network, classes, preset.output_spread)
    chosen = _layers(network, input_shape, activation or preset.published.activation)
    if normalization:
        chosen.insert(0, _normalization_layer(normalization))
    if views > 1:
        chosen = [
            Views(views, mirror, name="views"),
            *chosen,
            MeanOfViews(views, mirror, name="mean"),
        ]
    dtype = "uint8" if normalization else keras.config.floatx()
    inputs = keras.Input(input_shape, dtype=dtype, name="pixels")
    outputs = inputs
    for layer in chosen:
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


def single_view(model: keras.Model) -> keras.Model:
    """The part of a model that sees each image once, sharing its weights; else the model."""
    if not isinstance(model.layers[-1], MeanOfViews):
        return model
    return chain(model, 2, -1)


def _normalization_layer(normalization: Normalization) -> keras.layers.Layer:
    method = normalization["method"]
    if method == "minmax":
        return keras.layers.Rescaling(1 / 255, name="normalization")
    if method == "standard":
        return keras.layers.Normalization(
            mean=normalization["mean"], variance=normalization["variance"], name="normalization"
        )
    return layers.ImageNetMeans(name="normalization")


def _layers(
    network: Network, input_shape: tuple[int, int, int], activation: str
) -> list[keras.layers.Layer]:
    result: list[keras.layers.Layer] = []
    for traced in tracing.trace(network, input_shape, activation):
        match layer := traced.layer:
            case architecture.Conv():
                convolution = partial(
                    keras.layers.Conv2D, kernel_size=layer.kernel, padding=layer.padding
                )
                result += _weighted(convolution, layer.filters, layer, activation)
            case architecture.Dense():
                dense = keras.layers.Dense
                if layer.spread is not None:
                    first = keras.initializers.RandomNormal(stddev=layer.spread)
                    dense = partial(keras.layers.Dense, kernel_initializer=first)
                result += _weighted(dense, layer.units, layer, activation)
            case architecture.Pool():
                pool = layers.PaddedMaxPooling2D if layer.padded else keras.layers.MaxPooling2D
                result.append(pool(name=layer.name))
            case architecture.Whitening():
                kernel = keras.layers.Conv2D(
                    traced.output[-1],
                    layer.kernel,
                    use_bias=False,
                    trainable=False,
                    name=layer.name,
                )
                result += [kernel, *_activation(layer, activation)]
            case architecture.ConvBatchNorm():
                result += _normalized(layer, activation)
            case architecture.GlobalPool():
                result.append(keras.layers.GlobalMaxPooling2D(name=layer.name))
            case architecture.Dropout():
                result.append(keras.layers.Dropout(layer.rate, name=layer.name))
            case architecture.Flatten():
                result.append(keras.layers.Flatten(name=layer.name))
    return result


def _normalized(layer: architecture.ConvBatchNorm, chosen: str) -> list[keras.layers.Layer]:
    pieces = MAXOUT_PIECES if layer.activation == CHOSEN and chosen == "maxout" else 1
    convolution = keras.layers.Conv2D(
        layer.filters * pieces,
        3,
        padding="same",
        use_bias=False,
        kernel_initializer=layers.IdentityConvolution(),
        name=layer.name,
    )
    pool = [keras.layers.MaxPooling2D(name=f"{layer.name}_pool")] if layer.pool else []
    # A short memory: training has few steps.
    norm = keras.layers.BatchNormalization(
        scale=False, momentum=0.6, epsilon=1e-5, name=f"{layer.name}_norm"
    )
    return [convolution, *pool, norm, *_activation(layer, chosen)]


def _activation(
    layer: architecture.Whitening | architecture.ConvBatchNorm, chosen: str
) -> list[keras.layers.Layer]:
    """The activation as a layer of its own."""
    activation = chosen if layer.activation == CHOSEN else layer.activation
    name = f"{layer.name}_{activation}"
    if activation == "maxout":
        return [layers.Maxout(name=name)]
    if activation == "leaky_relu":
        return [keras.layers.LeakyReLU(LEAKY_RELU_SLOPE, name=name)]
    return [keras.layers.Activation(activation, name=name)]


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
