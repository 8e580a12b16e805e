"""A frozen base with its normalisations in the kernels gives the maps that Keras gives."""

import keras
import numpy as np
import pytest

from pipeline.networks import build, registry
from pipeline.pretrained.folding import foldable, folded
from tests.pipeline.networks.support import IMAGENET, bases, outputs_of, randomised


def assert_the_same(model: keras.Model, size: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, size, size, 3), dtype="uint8")
    wanted = outputs_of(model, pixels.astype(model.input.dtype))
    found = outputs_of(folded(model), pixels.astype(model.input.dtype))
    assert np.ptp(wanted) > 1e-3
    np.testing.assert_allclose(found, wanted, atol=1e-3 * np.abs(wanted).max())


def base_of(name: str) -> tuple[keras.Model, int]:
    network = registry.find(name)
    size = network.smallest_image
    model = randomised(build(name, (size, size, 3), 2, normalization=IMAGENET))
    return keras.Model(model.input, model.get_layer(network.base.end).output), size


@bases
def test_every_base_gives_what_keras_gives(name):
    model, size = base_of(name)
    assert_the_same(model, size)
    norms = [each for each in model.layers if isinstance(each, keras.layers.BatchNormalization)]
    left = [
        each for each in folded(model).layers if isinstance(each, keras.layers.BatchNormalization)
    ]
    assert len(left) == len(norms) - len(foldable(model))
    if not norms:
        assert folded(model) is model
    if name.startswith(("efficientnet_lite", "mobilenet", "resnet50")) and name != "resnet50_v2":
        assert norms
        assert not left


@pytest.mark.parametrize("kind", ["bias", "separable", "multiplier", "bare"])
def test_each_kind_of_convolution(kind):
    x = inputs = keras.Input((8, 8, 3))
    if kind == "separable":
        x = keras.layers.SeparableConv2D(6, 3, depth_multiplier=2)(x)
    elif kind == "multiplier":
        x = keras.layers.DepthwiseConv2D(3, depth_multiplier=2)(x)
    else:
        x = keras.layers.Conv2D(6, 3, use_bias=kind == "bias")(x)
    x = keras.layers.BatchNormalization(scale=kind != "bare", center=kind != "bare")(x)
    model = randomised(keras.Model(inputs, x))
    assert_the_same(model, 8)
    assert len(foldable(model)) == 1


def test_what_cannot_be_folded_stays():
    """After an activation, read by two, before a convolution, or an output itself."""
    layers = keras.layers
    inputs = keras.Input((8, 8, 3))
    first = layers.BatchNormalization()(inputs)
    relu = layers.BatchNormalization()(layers.Conv2D(4, 3, activation="relu")(first))
    twice = layers.Conv2D(4, 3)(relu)
    norm = layers.BatchNormalization()(twice)
    out = layers.Conv2D(4, 3, name="out")(layers.Add()([twice, norm]))
    last = layers.BatchNormalization()(out)
    model = randomised(keras.Model(inputs, [out, last]))
    assert foldable(model) == {}
    assert folded(model) is model
    assert list(foldable(keras.Model(inputs, last))) == ["out"]
    assert_the_same(keras.Model(inputs, last), 8)
