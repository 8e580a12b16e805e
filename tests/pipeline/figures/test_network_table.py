"""The network's table of layers agrees with what the presets publish."""

from typing import Any

import pytest

from pipeline.figures.network import layer_table, total
from pipeline.networks.presets import PRESETS
from pipeline.networks.tracing import dropout_rates
from tests.pipeline.figures.fake_run import PARAMETERS


def resolved(model: str, **changes: Any) -> dict[str, Any]:
    rates = dropout_rates(PRESETS[model].network)
    return PARAMETERS | {"model": model, "dropout": rates} | changes


@pytest.mark.parametrize(
    ("model", "shape", "classes", "parameters"),
    [
        ("tiny_cnn", (8, 8, 1), 10, 6_349),
        ("mnist_deep_cnn", (28, 28, 1), 10, 1_379_557),
        ("two_block_cnn", (32, 32, 3), 100, 2_218_852),
        ("vgg16", (150, 150, 3), 2, 16_812_353),
    ],
)
def test_the_total_is_the_published_one(
    model: str, shape: tuple[int, int, int], classes: int, parameters: int
) -> None:
    assert total(layer_table(resolved(model), shape, classes)) == parameters


def test_standard_normalisation_counts_two_a_channel_and_one() -> None:
    rows = layer_table(resolved("tiny_cnn", normalization="standard"), (8, 8, 3), 10)
    assert (rows[0].parameters, rows[0].trained) == (7, "no")


def test_rows_say_what_the_layers_are() -> None:
    rows = layer_table(resolved("two_block_cnn", dropout=[0.1, 0.75]), (28, 28, 1), 10)
    what = {row.name: row for row in rows}
    assert what["conv_2"].what == "convolution, 128 filters of 3×3, same, relu"
    assert what["conv_2"].output == (14, 14, 128)
    assert what["dropout_2"].what == "dropout, 0.75 of the values"
    assert what["dropout_2"].trained == ""
    assert rows[-1].what == "dense, 10 units, softmax"


def test_a_chosen_activation_leaves_linear_layers_as_they_are() -> None:
    rows = layer_table(resolved("tiny_cnn", activation="elu"), (8, 8, 1), 2)
    assert rows[1].what.endswith("linear")
    assert rows[2].what.endswith("elu")
    assert rows[-1].what == "dense, 1 unit, sigmoid"


def test_a_frozen_base_is_not_trained_and_fine_tuning_is_a_second_phase() -> None:
    frozen = resolved("vgg16", pretrained_weights="imagenet")
    trained = {row.name: row.trained for row in layer_table(frozen, (64, 64, 3), 2)}
    assert trained["block5_conv3"] == "no"
    assert trained["dense_1"] == "yes"
    fine = layer_table(frozen | {"fine_tune_from": "block5_conv1"}, (64, 64, 3), 2)
    trained = {row.name: row.trained for row in fine}
    assert trained["block4_conv3"] == "no"
    assert trained["block5_conv1"] == trained["block5_conv3"] == "second phase"
    assert trained["dense_1"] == "yes"


def test_a_base_with_random_weights_is_trained() -> None:
    rows = layer_table(resolved("vgg16"), (64, 64, 3), 2)
    assert {row.trained for row in rows if row.parameters} == {"yes"}
