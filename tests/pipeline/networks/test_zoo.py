"""Every network of the zoo against Keras: its counts, its smallest input, its dropouts.

A new network is tested by being there.
"""

import keras
import numpy as np
import pytest

from pipeline.errors import PipelineError
from pipeline.networks import build, registry
from pipeline.networks.blocks import Layers
from pipeline.networks.graph import base_layers, cuts
from tests.pipeline.networks.support import marked, outputs_of

MINMAX = {"method": "minmax", "mean": [], "variance": []}
NETWORKS = registry.networks()
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
    # The paper says 0.27 million; convolutions, normalisations and the output layer.
    ("resnet20", (32, 32, 3), 10, 271_098),
    ("vgg16", (150, 150, 3), 2, 16_812_353),
]


@pytest.fixture(params=marked(sorted(NETWORKS), quick=("vgg16",)))
def network(request: pytest.FixtureRequest) -> registry.Network:
    return NETWORKS[request.param]


@pytest.mark.parametrize(("name", "shape", "classes", "parameters"), PUBLISHED_COUNTS)
def test_a_network_counts_what_was_published(name, shape, classes, parameters):
    model = build(name, shape, classes, normalization=MINMAX)
    assert model.count_params() == parameters
    assert model.output_shape == (None, 1 if classes == 2 else classes)
    assert model.input.dtype == "uint8"


def test_every_network_has_a_count():
    """Those on a base of keras.applications have that of Keras: test_bases.py."""
    others = {name for name, found in NETWORKS.items() if found.base} - {"vgg16"}
    assert {name for name, *_ in PUBLISHED_COUNTS} == set(NETWORKS) - others


def test_vgg16s_base_is_that_of_keras():
    model = build("vgg16", (150, 150, 3), 2)
    base = base_layers(model, "block5_pool")
    assert sum(layer.count_params() for layer in base) == 14_714_688
    assert base[-1].output.shape[1:] == (4, 4, 512)
    assert [base[0].name, base[-1].name] == ["block1_conv1", "block5_pool"]


def test_the_smallest_image_is_the_smallest(network):
    """It gives probabilities; with a pixel less Keras has nothing left somewhere, or we refuse."""
    size, channels = network.smallest_image, network.channels or 1
    model = build(network.name, (size, size, channels), 3, normalization=MINMAX)
    pixels = np.zeros((1, size, size, channels), "uint8")
    np.testing.assert_allclose(outputs_of(model, pixels).sum(), 1, atol=1e-5)
    with pytest.raises(PipelineError, match=f"which needs {size}×{size}"):
        build(network.name, (size - 1, size, channels), 3)
    # Padding allows these any size, and their stages then mean nothing.
    if network.name != "resnet20" and not network.name.startswith("efficientnet_lite"):
        assert nothing_is_left(network, size - 1, channels)


def nothing_is_left(network: registry.Network, size: int, channels: int) -> bool:
    blocks = Layers(network.published.activation, network.dropout)
    inputs = keras.Input((size, size, channels))
    try:
        model = keras.Model(inputs, network.function(inputs, blocks))
    except ValueError:
        return True
    return any(0 in layer.output.shape[1:] for layer in model.layers)


def test_the_declared_dropouts_are_the_networks(network):
    size, channels = network.published.image_size, network.channels or 1
    rates = [round(0.1 + 0.1 * place, 1) for place in range(len(network.dropout))]
    model = build(network.name, (size, size, channels), 3, dropout=rates)
    found = [layer.rate for layer in model.layers if layer.name.startswith("dropout_")]
    assert found == rates
    with pytest.raises(PipelineError, match="dropout: "):
        build(network.name, (size, size, channels), 3, dropout=[*rates, 0.5])


def test_a_model_divided_at_any_cut_is_the_model(network):
    size, channels = network.smallest_image, network.channels or 1
    keras.utils.set_random_seed(3)
    shape = (size, size + 5, channels)  # no square
    model = build(network.name, shape, 3, normalization=MINMAX)
    pixels = np.random.default_rng(0).integers(0, 256, (2, *shape), dtype="uint8")
    whole = outputs_of(model, pixels)
    divided = cuts(model)
    assert divided[-1] == "output"
    for name in divided[1:-1:5]:
        maps = model.get_layer(name).output
        front, back = keras.Model(model.input, maps), keras.Model(maps, model.output)
        again = outputs_of(back, outputs_of(front, pixels))
        np.testing.assert_allclose(again, whole, atol=1e-6)
    assert back.get_layer("output").kernel is model.get_layer("output").kernel


def test_a_residual_network_is_not_divided_inside_a_block():
    found = cuts(build("resnet20", (32, 32, 3), 10))
    assert "stage1_block1_add" in found
    assert not {"stage1_block1_1_conv", "stage2_block1_skip", "stage1_block1_2_norm"} & set(found)


def test_an_unknown_network_is_one_line():
    with pytest.raises(PipelineError, match=r"unknown model; did you mean two_block_cnn\?"):
        registry.find("two_blok_cnn")


def test_names_cost_no_keras():
    """Names, settings and refusals are there without the seconds of a backend's import."""
    import subprocess
    import sys

    code = (
        "import sys\nfrom pipeline.networks import registry\n"
        "registry.check_input(registry.find('vgg16'), 32, 32)\n"
        "assert 'keras' not in sys.modules\nassert 'numpy' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
