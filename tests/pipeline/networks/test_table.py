"""The table of a network's layers, read off real models."""

from typing import Any

import keras
import pytest

from pipeline.networks import build
from pipeline.networks.table import Row, count_weights, describe, layer_rows
from pipeline.networks.whitening import fit_whitening
from tests.pipeline.networks.test_fast_cnn import photographs

MINMAX = {"method": "minmax", "mean": [], "variance": []}
STANDARD = {"method": "standard", "mean": [1.0] * 3, "variance": [4.0] * 3}


def table(*arguments: Any, **options: Any) -> dict[str, Row]:
    """The rows of a model by their names."""
    model = build(*arguments, **{"normalization": MINMAX, **options})
    rows = layer_rows(model)
    assert [row["name"] for row in rows] == [layer.name for layer in model.layers[1:]]
    return {row["name"]: row for row in rows}


@pytest.mark.parametrize(
    ("model", "shape", "classes", "parameters"),
    [
        ("tiny_cnn", (8, 8, 1), 10, 6_349),
        ("mnist_deep_cnn", (28, 28, 1), 10, 1_379_557),
        ("two_block_cnn", (32, 32, 3), 100, 2_218_852),
        ("vgg16", (150, 150, 3), 2, 16_812_353),
    ],
)
def test_the_rows_add_up_to_what_was_published(
    model: str, shape: tuple[int, int, int], classes: int, parameters: int
) -> None:
    rows = table(model, shape, classes)
    assert sum(row["parameters"] for row in rows.values()) == parameters


def test_standard_normalisation_has_its_figures_in_the_configuration_and_no_weight() -> None:
    row = table("tiny_cnn", (8, 8, 3), 10, normalization=STANDARD)["normalization"]
    assert (row["parameters"], row["trained"]) == (0, "")
    assert row["what"] == "each channel to mean 0 and variance 1"


def test_rows_say_what_the_layers_are() -> None:
    rows = table("two_block_cnn", (28, 28, 1), 10, dropout=[0.1, 0.75])
    assert rows["normalization"]["what"] == "pixels divided by 255"
    assert rows["conv_2"] == {
        "name": "conv_2",
        "kind": "Conv2D",
        "what": "convolution, 128 filters of 3×3, same, relu",
        "output": [14, 14, 128],
        "parameters": 73_856,
        "trained": "yes",
    }
    assert rows["pool_2"]["what"] == "the largest of each 2×2"
    assert rows["dropout_2"]["what"] == "dropout, 0.75 of the values"
    assert rows["dropout_2"]["trained"] == ""
    assert rows["flatten"]["what"] == "maps to one vector"
    assert rows["output"]["what"] == "dense, 10 units, softmax"


def test_linear_layers_and_the_activation_that_was_chosen() -> None:
    rows = table("tiny_cnn", (8, 8, 1), 2, activation="elu")
    assert rows["conv_1"]["what"].endswith("valid, linear")
    assert rows["conv_2"]["what"].endswith("valid, elu")
    assert rows["output"]["what"] == "dense, 1 unit, sigmoid"
    rows = table("tiny_cnn", (8, 8, 1), 2, activation="maxout")
    # Maxout needs twice the filters, and they are in the layer that has them.
    assert rows["conv_2"]["what"] == "convolution, 14 filters of 2×2, valid, linear"
    assert rows["conv_2_maxout"]["what"] == "the larger of each pair of channels"
    assert rows["conv_2_maxout"]["output"] == [5, 5, 7]
    rows = table("tiny_cnn", (8, 8, 1), 2, activation="leaky_relu")
    assert rows["conv_2_leaky_relu"]["what"] == "leaky_relu of slope 0.1"


def test_padded_pooling_has_its_border() -> None:
    row = table("mnist_deep_cnn", (28, 28, 1), 10)["pool_3"]
    assert row["what"] == "the largest of each 2×2, with a border of −∞"
    assert row["output"] == [4, 4, 128]


def test_the_whitening_of_fast_cnn_has_no_bias_and_is_not_trained() -> None:
    images = photographs(40)
    model = build("fast_cnn", (12, 12, 3), 4, normalization=MINMAX, views=6, mirror=True)
    fit_whitening(model, images)
    rows = {row["name"]: row for row in layer_rows(model)}
    assert rows["whitening"] == {
        "name": "whitening",
        "kind": "Conv2D",
        "what": "whitening of 2×2 patches, fitted on the training images, without bias",
        "output": [11, 11, 24],
        "parameters": 2 * 2 * 3 * 24,
        "trained": "no",
    }
    assert rows["conv_1"]["what"] == "convolution, 64 filters of 3×3, same, without bias, linear"
    assert rows["conv_1_norm"]["what"] == "batch normalisation, without a scale"
    assert rows["conv_1_norm"]["trained"] == "yes"
    assert rows["conv_1_quick_gelu"]["what"] == "quick_gelu"
    assert rows["views"]["what"] == "6 views of each image"
    assert rows["views"]["output"] == [12, 12, 3]
    assert rows["mean"]["output"] == [4]
    # The moving means and variances of six normalisations are not trained either.
    moving = 2 * sum(row["output"][-1] for name, row in rows.items() if name.endswith("_norm"))
    counts = count_weights(model)
    assert counts["total"] == sum(row["parameters"] for row in rows.values())
    assert counts["total"] - counts["trainable"] == rows["whitening"]["parameters"] + moving


def test_a_frozen_base_is_not_trained_and_is_still_frozen_after_loading(tmp_path) -> None:
    from pipeline.networks import saving

    model = build("vgg16", (32, 32, 3), 2, normalization=MINMAX)
    assert {row["trained"] for row in layer_rows(model) if row["parameters"]} == {"yes"}
    for layer in model.layers:
        layer.trainable = not layer.name.startswith(("block1", "block2", "block3", "block4"))
    saving.save_model(model, tmp_path / "model.keras")
    rows = layer_rows(saving.load_model(tmp_path / "model.keras"))
    trained = {row["name"]: row["trained"] for row in rows}
    assert trained["block4_conv3"] == "no"
    assert trained["block4_pool"] == ""
    assert trained["block5_conv1"] == trained["dense_1"] == "yes"
    assert rows == layer_rows(model)


def test_layers_of_keras_that_no_preset_has() -> None:
    inputs = keras.Input((8, 8, 3))
    scaled = keras.layers.Rescaling(1 / 127.5, offset=-1)
    strided = keras.layers.Conv2D(4, 3, strides=2, use_bias=False)
    mean = keras.layers.GlobalAveragePooling2D()
    keras.Model(inputs, mean(strided(scaled(inputs))))
    assert describe(scaled) == "pixels divided by 127.5, -1"
    expected = "convolution, 4 filters of 3×3, valid, stride 2, without bias, linear"
    assert describe(strided) == expected
    assert describe(mean) == "the mean of each map"
    assert describe(keras.layers.ReLU()) == "ReLU"
