"""From a network's name to a Keras model that takes raw pixels, and to the parts of one."""

from collections.abc import Sequence
from typing import Any, TypedDict

import keras

from pipeline import backend
from pipeline.networks import layers, registry
from pipeline.networks.bases import CAFFE, Pixels
from pipeline.networks.blocks import Layers
from pipeline.networks.temperature import Temperature
from pipeline.networks.views import MeanOfViews, Views

layers.FusedBatchNormalization.operation = backend.batch_norm


class Normalization(TypedDict):
    """`method` is minmax, standard or imagenet (what the base's weights want); `mean` and
    `variance`, one a channel on the scale 0…255, are used by standard alone."""

    method: str
    mean: list[float]
    variance: list[float]


def build(
    name: str,
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    dropout: Sequence[float] | None = None,
    activation: str | None = None,
    normalization: Normalization | None = None,
    views: int = 1,
    mirror: bool = False,
) -> keras.Model:
    """Build a network as a Keras model, not compiled, with random first weights.

    Args:
        name: of a function in `pipeline.networks.zoo`.
        input_shape: (height, width, channels) of the images.
        classes: how many; two make one sigmoid unit for class index 1.
        dropout: one rate for each of the network's places; None as published.
        activation: takes the place of the relus; None as published.
        normalization: the first layer; None builds the model without one, for
            inputs that are normalised already.
        views: of each image that a prediction is the mean of, 1, 2 or 6, and
            `mirror`, whether mirror images are among them (`pipeline.networks.views`).

    Returns:
        (n, height, width, channels) uint8 pixels to (n, classes) float32
        probabilities, (n, 1) for two classes.

    Raises:
        PipelineError: an unknown network, dropouts of the wrong number, an
            input that is too small, or an activation that does not go with it.
    """
    found = registry.find(name)
    rates = list(found.dropout) if dropout is None else dropout
    chosen = activation or found.published.activation
    registry.check_dropout(found, rates)
    registry.check_activation(found, chosen)
    registry.check_input(found, *input_shape[:2])
    dtype = "uint8" if normalization else keras.config.floatx()
    inputs = x = keras.Input(input_shape, dtype=dtype, name="pixels")
    if views > 1:
        x = Views(views, mirror, name="views")(x)
    if normalization:
        x = _normalization_layer(normalization, found)(x)
    blocks = Layers(chosen, rates)
    x = found.function(x, blocks)
    x = _output_layer(classes, blocks.output_initializer)(x)
    if views > 1:
        x = MeanOfViews(views, mirror, name="mean")(x)
    return keras.Model(inputs, x, name=name)


def single_view(model: keras.Model) -> keras.Model:
    """The part of a model that sees each image once, sharing its weights; else the model."""
    start, end = seen_once(model)
    return model if end is model.output else keras.Model(start, end)


def seen_once(model: keras.Model) -> tuple[Any, Any]:
    """The tensors between which a model sees each image once: its own, but for the views and
    the temperature."""
    last = model.layers[-1]
    start, end = model.input, model.output
    if isinstance(last, Temperature):
        end = last.input
    if has_views(model):
        start, end = model.get_layer("views").output, model.get_layer("mean").input
    return start, end


def has_views(model: keras.Model) -> bool:
    """Whether a prediction is the mean of several views."""
    return any(isinstance(layer, MeanOfViews) for layer in model.layers)


def _normalization_layer(normalization: Normalization, found: registry.Network) -> Any:
    method = normalization["method"]
    if method == "minmax":
        return keras.layers.Rescaling(1 / 255, name="normalization")
    if method == "standard":
        return keras.layers.Normalization(
            mean=normalization["mean"], variance=normalization["variance"], name="normalization"
        )
    assert found.base is not None
    return _pixels_layer(found.base.pixels)


def _pixels_layer(pixels: Pixels) -> keras.layers.Layer:
    """The pixels that a base's weights want, as a layer."""
    if pixels == CAFFE:
        return layers.ImageNetMeans(name="normalization")
    assert not pixels.bgr, pixels
    if len({*pixels.mean}) == len({*pixels.deviation}) == 1:
        mean, deviation = pixels.mean[0], pixels.deviation[0]
        return keras.layers.Rescaling(1 / deviation, offset=-mean / deviation, name="normalization")
    return keras.layers.Normalization(
        mean=pixels.mean,
        variance=[deviation**2 for deviation in pixels.deviation],
        name="normalization",
    )


def _output_layer(classes: int, initializer: Any) -> keras.layers.Layer:
    """One sigmoid unit for two classes, else a softmax; its numbers keep their digits in
    mixed precision too."""
    units, activation = (1, "sigmoid") if classes == 2 else (classes, "softmax")
    return keras.layers.Dense(
        units,
        activation=activation,
        kernel_initializer=initializer,
        dtype="float32",
        name="output",
    )
