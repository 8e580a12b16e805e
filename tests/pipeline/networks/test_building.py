"""The Keras models: their counts, their inputs and outputs, their saved bytes."""

from typing import get_args

import keras
import numpy as np
import pytest

from pipeline.errors import PipelineError
from pipeline.networks import build, saving
from pipeline.networks.layers import ImageNetMeans, Maxout, PaddedMaxPooling2D
from pipeline.parameters.schema import Activation
from pipeline.runtime import files

MINMAX = {"method": "minmax", "mean": [], "variance": []}


def test_standard_normalization_adds_what_does_not_train():
    standard = {"method": "standard", "mean": [1.0, 2.0, 3.0], "variance": [4.0, 4.0, 4.0]}
    model = build("two_block_cnn", (32, 32, 3), 10, normalization=standard)
    assert sum(np.prod(w.shape) for w in model.trainable_weights) == 2_207_242
    first = keras.Model(model.input, model.get_layer("normalization").output)
    normalized = first.predict(np.full((1, 32, 32, 3), 5, "uint8"), verbose=0)
    np.testing.assert_allclose(normalized[0, 0, 0], [2.0, 1.5, 1.0])


@pytest.mark.parametrize("activation", get_args(Activation))
def test_every_activation_trains_and_loads_back(tmp_path, activation):
    keras.utils.set_random_seed(1)
    model = build("mnist_deep_cnn", (12, 12, 1), 3, activation=activation, normalization=MINMAX)
    images = np.random.default_rng(0).integers(0, 256, (6, 12, 12, 1), dtype="uint8")
    model.compile("adam", "categorical_crossentropy")
    before = model.get_weights()[0].copy()
    model.fit(images, np.eye(3, dtype="float32")[[0, 1, 2, 0, 1, 2]], epochs=1, verbose=0)
    assert not np.array_equal(before, model.get_weights()[0])
    saving.save_model(model, tmp_path / "model.keras")
    again = saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(
        model.predict(images, verbose=0), again.predict(images, verbose=0)
    )


def test_linear_layers_stay_linear():
    layers = {layer.name: layer for layer in build("fashion_cnn", (28, 28, 1), 10).layers}
    assert layers["conv_1"].activation is keras.activations.linear
    assert layers["conv_2"].activation is keras.activations.relu
    layers = build("fashion_cnn", (28, 28, 1), 10, activation="tanh").layers
    assert {layer.name: layer for layer in layers}["conv_1"].activation is keras.activations.linear
    base = build("vgg16", (32, 32, 3), 2, activation="tanh").get_layer("block1_conv1")
    assert base.activation is keras.activations.relu


def test_padded_pooling_pads_with_what_never_wins():
    maps = -np.arange(1, 10, dtype="float32").reshape(1, 3, 3, 1)
    pooled = keras.ops.convert_to_numpy(PaddedMaxPooling2D()(maps))
    np.testing.assert_array_equal(pooled[0, :, :, 0], [[-1, -2], [-4, -5]])


def test_maxout_takes_the_larger_of_neighbours():
    values = np.array([[1, 2, 5, 4], [-1, -2, 0, 7]], "float32")
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(Maxout()(values)), [[2, 5], [-1, 7]])


def test_imagenet_means_are_those_of_keras():
    pixels = np.random.default_rng(0).integers(0, 256, (2, 4, 4, 3), dtype="uint8")
    theirs = keras.applications.vgg16.preprocess_input(pixels.astype("float32"))
    ours = keras.ops.convert_to_numpy(ImageNetMeans()(pixels))
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_dropout_rates_reach_their_layers():
    model = build("two_block_cnn", (8, 8, 3), 10, dropout=[0.25, 0.5])
    rates = [layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)]
    assert rates == [0.25, 0.5]


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("two_blok_cnn", (8, 8, 1), 2), {}, "unknown model; did you mean two_block_cnn?"),
        (("two_block_cnn", (8, 8, 1), 2), {"dropout": [0.1]}, "1 rates for two_block_cnn, which"),
        (
            ("three_block_cnn", (7, 7, 1), 2),
            {},
            "7×7 pixels are too few for three_block_cnn, which needs 8×8",
        ),
    ],
)
def test_what_cannot_be_built_says_so(arguments, options, message):
    with pytest.raises(PipelineError, match=message.replace("?", r"\?")):
        build(*arguments, **options)


def test_the_same_weights_give_the_same_bytes(tmp_path):
    """Also for a model that was built after others, at other addresses, on another second."""
    digests = set()
    for name in ("a", "b"):
        keras.utils.set_random_seed(7)
        build("tiny_cnn", (8, 8, 1), 3)
        keras.utils.set_random_seed(7)
        model = build("two_block_cnn", (8, 8, 3), 3, normalization=MINMAX)
        saving.save_model(model, tmp_path / f"{name}.keras")
        digests.add(files.sha256(tmp_path / f"{name}.keras"))
    assert len(digests) == 1
    keras.utils.set_random_seed(8)
    model = build("two_block_cnn", (8, 8, 3), 3, normalization=MINMAX)
    saving.save_model(model, tmp_path / "c.keras")
    assert files.sha256(tmp_path / "c.keras") not in digests
