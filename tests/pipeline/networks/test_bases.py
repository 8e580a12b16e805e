"""Every pretrained base against keras.applications: the same arrays, maps and pre-processing.

The quick suite has the smallest one, the slow one all of them.
"""

import importlib
import subprocess
import sys

import keras
import numpy as np
import pytest

from pipeline.networks import build, registry, saving
from pipeline.networks.graph import base_layers, blocks, cut_below
from pipeline.pretrained.arrays import array_names
from tests.pipeline.networks.support import BASES, IMAGENET, marked, outputs_of, randomised

FUNCTIONS = {name.lower(): name for name in dir(keras.applications) if name[0].isupper()}
OWN_LAYERS = ("convnext_tiny", "inception_resnet_v2")  # layers of keras.applications' own
LAST = {
    "vgg16": "block5_conv1",
    "mobilenet_v3_small": "expanded_conv_10_expand",
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
LOAD = """
import sys
import numpy as np
from pipeline.networks.loader.models import load_model
np.save(sys.argv[3], load_model(sys.argv[1]).predict(np.load(sys.argv[2]), verbose=0))
"""


@pytest.fixture(scope="module", params=marked(BASES))
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def size(name: str) -> int:
    return registry.find(name).smallest_image


@pytest.fixture(scope="module")
def model(name: str, size: int) -> keras.Model:
    return randomised(build(name, (size, size, 3), 2, normalization=IMAGENET))


@pytest.fixture
def pixels(size: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (2, size, size, 3), dtype="uint8")


def test_a_base_is_that_of_keras_applications(name, size, model, pixels) -> None:
    """It counts the same, and makes the same of pixels that Keras has prepared."""
    if registry.find(name).base.imagenet.keras_file is None:
        pytest.skip("not of keras.applications: test_torch_archive.py counts it")
    function = getattr(keras.applications, FUNCTIONS[name.replace("_", "")])
    pooling = None if name == "vgg16" else "avg"
    theirs = function(include_top=False, weights=None, input_shape=(size, size, 3), pooling=pooling)
    prepare = importlib.import_module(function.__module__).preprocess_input
    end = registry.find(name).base.end
    arrays = [array for layer in base_layers(model, end) for array in layer.get_weights()]
    assert sum(array.size for array in arrays) == theirs.count_params()
    assert [array.shape for array in arrays] == [weight.shape for weight in theirs.weights]
    theirs.set_weights(arrays)
    wanted = outputs_of(theirs, prepare(pixels.astype("float32")))
    ours = outputs_of(keras.Model(model.input, model.get_layer(end).output), pixels)
    assert np.abs(wanted[0] - wanted[1]).max() > 1e-2 * np.abs(wanted).max()
    # Keras prepares the pixels in two steps, and dozens of layers make more of the rounding.
    np.testing.assert_allclose(ours, wanted, rtol=1e-3, atol=5e-4 * np.abs(wanted).max())


def test_its_names_do_not_depend_on_what_was_made_before(name, size, model) -> None:
    keras.layers.Conv2D(1, 1), keras.layers.BatchNormalization(), keras.layers.Add()
    again = build(name, (size, size, 3), 2, normalization=IMAGENET)
    assert [layer.name for layer in again.layers[1:]] == [layer.name for layer in model.layers[1:]]
    # A step that is no layer would have a name of Keras' own.
    assert len(model.operations) == len(model.layers)
    arrays = [each for layer in again.layers for each in array_names(layer)]
    assert len(arrays) == len(set(arrays))
    assert arrays == [each for layer in model.layers for each in array_names(layer)]


def test_it_is_saved_and_loaded(name, model, pixels, tmp_path) -> None:
    saving.save_model(model, tmp_path / "model.keras")
    wanted = outputs_of(model, pixels)
    again = saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(outputs_of(again, pixels), wanted)
    if name in OWN_LAYERS:  # in a process that has not made them
        np.save(tmp_path / "pixels.npy", pixels)
        files = [str(tmp_path / each) for each in ("model.keras", "pixels.npy", "found.npy")]
        subprocess.run([sys.executable, "-c", LOAD, *files], check=True)
        np.testing.assert_allclose(np.load(tmp_path / "found.npy"), wanted, atol=1e-4)
    (tmp_path / "model.keras").unlink()


def test_it_is_divided_into_blocks(name, model) -> None:
    base = registry.find(name).base
    found = blocks(model, base)
    layers = [layer.name for layer in base_layers(model, base.end)]
    assert len(found) >= 5
    assert found == sorted(found, key=layers.index)
    if name in LAST:
        assert found[-1] == LAST[name]
    # A block is divided from the one before it, and the last is a small part of the network.
    assert all(cut_below(model, start, layers) for start in found[1:])
    counts = {layer.name: layer.count_params() for layer in model.layers}
    last = layers[layers.index(found[-1]) :]
    assert 0 < sum(counts[each] for each in last) < 0.6 * sum(counts[each] for each in layers)
