"""Every pretrained base against keras.applications: the same arrays, maps and pre-processing.

The quick suite has VGG16 and the smallest base with branches, the slow one all of them.
"""

import importlib
import re
import subprocess
import sys
from typing import Any

import keras
import numpy as np
import pytest

from pipeline.networks import build, registry, saving
from pipeline.networks.graph import base_layers, blocks, cuts, outputs
from pipeline.parameters.fine_tuning import first_layer
from pipeline.pretrained.arrays import array_names
from tests.pipeline.networks.support import BASES, IMAGENET, bases, marked, randomised
from tests.support import REPOSITORY

FUNCTIONS = {name.lower(): name for name in dir(keras.applications) if name[0].isupper()}
# Not of keras.applications: tests/pipeline/pretrained/test_torch_archive.py counts them.
OURS = ("efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2")
OWN_LAYERS = ("convnext_tiny", "inception_resnet_v2")  # layers of keras.applications' own
LOAD = """
import sys
import numpy as np
from pipeline.networks.loader.models import load_model
np.save(sys.argv[3], load_model(sys.argv[1]).predict(np.load(sys.argv[2]), verbose=0))
"""


def theirs(name: str, size: int) -> Any:
    """keras.applications' network for a mean of the last maps, its pre-processing before it."""
    function = getattr(keras.applications, FUNCTIONS[name.replace("_", "")])
    pooling = None if name == "vgg16" else "avg"
    made = function(include_top=False, weights=None, input_shape=(size, size, 3), pooling=pooling)
    prepare = importlib.import_module(function.__module__).preprocess_input
    return made, prepare


@pytest.mark.parametrize("name", marked([each for each in BASES if each not in OURS]))
def test_a_base_is_that_of_keras_applications(name: str) -> None:
    network = registry.find(name)
    size = network.smallest_image
    pixels = np.random.default_rng(0).integers(0, 256, (2, size, size, 3), dtype="uint8")
    made, prepare = theirs(name, size)
    model = randomised(build(name, (size, size, 3), 2, normalization=IMAGENET))
    base = base_layers(model, network.base.end)
    arrays = [array for layer in base for array in layer.get_weights()]
    assert sum(array.size for array in arrays) == made.count_params()
    assert [array.shape for array in arrays] == [weight.shape for weight in made.weights]
    made.set_weights(arrays)
    wanted = made.predict(prepare(pixels.astype("float32")), verbose=0)
    ours = keras.Model(model.input, model.get_layer(network.base.end).output)
    assert np.ptp(wanted) > 1e-3
    np.testing.assert_allclose(ours.predict(pixels, verbose=0), wanted, rtol=1e-4, atol=1e-4)


@bases
def test_its_names_do_not_depend_on_what_was_made_before(name: str) -> None:
    size = registry.find(name).smallest_image
    keras.layers.Conv2D(1, 1), keras.layers.BatchNormalization(), keras.layers.Add()
    first = [layer.name for layer in build(name, (size, size, 3), 2).layers]
    model = build(name, (size, size, 3), 2)
    assert [layer.name for layer in model.layers] == first
    assert len(model.operations) == len(model.layers)  # a step that is no layer has no name
    arrays = [
        each
        for layer in base_layers(model, registry.find(name).base.end)
        for each in array_names(layer)
    ]
    assert len(arrays) == len(set(arrays))


@bases
def test_it_is_saved_and_loaded(name: str, tmp_path) -> None:
    size = registry.find(name).smallest_image
    pixels = np.random.default_rng(0).integers(0, 256, (2, size, size, 3), dtype="uint8")
    model = randomised(build(name, (size, size, 3), 2, normalization=IMAGENET))
    saving.save_model(model, tmp_path / "model.keras")
    wanted = model.predict(pixels, verbose=0)
    again = saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again.predict(pixels, verbose=0), wanted)
    if name in OWN_LAYERS:  # in a process that has not made them
        np.save(tmp_path / "pixels.npy", pixels)
        files = [str(tmp_path / each) for each in ("model.keras", "pixels.npy", "found.npy")]
        subprocess.run([sys.executable, "-c", LOAD, *files], check=True)
        np.testing.assert_allclose(np.load(tmp_path / "found.npy"), wanted, atol=1e-6)
    (tmp_path / "model.keras").unlink()


@bases
def test_it_is_divided_into_blocks(name: str) -> None:
    network = registry.find(name)
    size = network.smallest_image
    model = build(name, (size, size, 3), 2)
    found = blocks(model, network.base)
    layers = [layer.name for layer in base_layers(model, network.base.end)]
    assert len(found) >= 5
    assert found == sorted(found, key=layers.index)
    assert first_layer(-1, network) == found[-1]
    assert first_layer(-len(found), network) == found[0]
    # A block is divided from the one before it, and the last is not half of the network.
    divided, tensors = set(cuts(model)), outputs(model)
    assert all(tensors[each] is not None for each in found)
    for start in found[1:]:
        assert set(layers[: layers.index(start)]) & divided
    last = layers[layers.index(found[-1]) :]
    counts = {layer.name: layer.count_params() for layer in model.layers}
    assert 0 < sum(counts[each] for each in last) < 0.6 * sum(counts[each] for each in layers)


def test_what_the_last_block_of_each_is() -> None:
    assert first_layer(-1, registry.find("vgg16")) == "block5_conv1"
    assert first_layer(-5, registry.find("vgg16")) == "block1_conv1"
    assert first_layer(-1, registry.find("mobilenet_v3_small")) == "expanded_conv_10_expand"


LAST = {
    "vgg19": "block5_conv1",
    "resnet50": "conv5_block3_1_conv",
    "resnet50_v2": "conv5_block3_preact_bn",
    "xception": "block14_sepconv1",
    "mobilenet": "conv_dw_13",
    "mobilenet_v2": "block_16_expand",
    "densenet121": "conv5_block16_0_bn",
    "efficientnet_v2_b0": "block6h_expand_conv",
    "efficientnet_lite0": "block7_1_expand_conv",
    "convnext_tiny": "convnext_tiny_stage_3_block_2_depthwise_conv",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", LAST)
def test_what_the_last_block_is(name: str) -> None:
    assert first_layer(-1, registry.find(name)) == LAST[name]


def test_the_page_has_every_base_with_its_sizes() -> None:
    text = (REPOSITORY / "docs/pretrained.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \| (\d+) \|", text, re.MULTILINE)
    expected = {
        (name, str(network.published.image_size), str(network.smallest_image))
        for name, network in registry.networks().items()
        if network.base
    }
    assert set(rows) == expected
