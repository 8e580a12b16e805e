"""The networks as values: shapes, counts, the smallest input."""

import pytest

from pipeline.errors import PipelineError
from pipeline.networks import tracing
from pipeline.networks.architecture import Conv, Dropout, Flatten, Pool
from pipeline.networks.presets import PRESETS
from pipeline.networks.tracing import count_parameters, trace

PUBLISHED_COUNTS = [
    ("tiny_cnn", (8, 8, 1), 10, 6_349),
    ("mnist_cnn", (28, 28, 1), 10, 50_186),
    ("mnist_deep_cnn", (28, 28, 1), 10, 1_379_557),
    ("fashion_cnn", (28, 28, 1), 10, 9_490_442),
    ("fashion_pool_cnn", (28, 28, 1), 10, 463_082),
    ("fashion_pool_linear_cnn", (28, 28, 1), 10, 463_082),
    ("three_block_cnn", (32, 32, 3), 10, 1_218_506),
    ("double_conv_cnn", (32, 32, 3), 10, 1_060_138),
    ("two_block_cnn", (32, 32, 3), 10, 2_207_242),
    ("two_block_cnn", (32, 32, 3), 100, 2_218_852),
    ("fast_cnn", (32, 32, 3), 10, 1_531_178),
    ("vgg16", (150, 150, 3), 2, 16_812_353),
]


@pytest.mark.parametrize(("name", "shape", "classes", "parameters"), PUBLISHED_COUNTS)
def test_a_preset_counts_what_was_published(name, shape, classes, parameters):
    preset = PRESETS[name]
    assert count_parameters(preset.base + preset.network, shape, classes) == parameters


def test_vgg16_base_counts_what_was_published():
    base = PRESETS["vgg16"].base
    assert sum(t.parameters for t in trace(base, (150, 150, 3))) == 14_714_688
    assert [t.output for t in trace(base, (150, 150, 3))][-1] == (4, 4, 512)


def test_padded_pooling_makes_4_of_7():
    assert [t.output for t in trace((Pool(padded=True),), (7, 7, 1))] == [(4, 4, 1)]
    assert [t.output for t in trace((Pool(),), (7, 7, 1))] == [(3, 3, 1)]


def test_maxout_doubles_the_layers_that_follow_the_activation():
    linear, chosen = (Conv(4, activation=None),), (Conv(4),)
    assert next(trace(linear, (8, 8, 1), "maxout")).parameters == 40
    assert next(trace(chosen, (8, 8, 1), "maxout")).parameters == 80
    assert next(trace(chosen, (8, 8, 1), "relu")).parameters == 40


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("tiny_cnn", 4),
        ("mnist_cnn", 4),
        ("mnist_deep_cnn", 4),
        ("fashion_cnn", 5),
        ("fashion_pool_cnn", 11),
        ("fashion_pool_linear_cnn", 11),
        ("three_block_cnn", 8),
        ("double_conv_cnn", 2),
        ("two_block_cnn", 4),
        ("fast_cnn", 9),
        ("vgg16", 32),
    ],
)
def test_the_smallest_input_is_the_smallest(name, size):
    network = PRESETS[name].base + PRESETS[name].network
    assert tracing.smallest_size(network) == size
    with pytest.raises(PipelineError, match="too small for this network: nothing is left after"):
        list(trace(network, (size - 1, size - 1, 3)))


def test_dropout_rates_are_set_in_order():
    network = (Dropout(0.1), Flatten(), Dropout(0.2))
    assert tracing.dropout_rates(network) == [0.1, 0.2]
    assert tracing.dropout_rates(tracing.with_dropout(network, [0.3, 0.4])) == [0.3, 0.4]


def test_layers_are_numbered_by_kind_and_keep_their_own_names():
    names = [layer.name for layer in tracing.named((Conv(1), Pool(), Conv(1), Flatten()))]
    assert names == ["conv_1", "pool_1", "conv_2", "flatten"]
    assert tracing.named(PRESETS["vgg16"].base)[0].name == "block1_conv1"
