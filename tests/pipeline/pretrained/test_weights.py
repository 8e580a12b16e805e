"""The arrays on disk and in a model: the same bytes, the right layers, Keras' own results."""

import keras
import numpy as np
import pytest

from pipeline.errors import PipelineError
from pipeline.networks import build
from pipeline.pretrained.frozen import FrozenBase, batch_size
from pipeline.pretrained.weights import load_into
from pipeline.runtime.arrays import save_arrays

IMAGENET = {"method": "imagenet", "mean": [0.0] * 3, "variance": [1.0] * 3}


@pytest.fixture(scope="module")
def folder(arrays, tmp_path_factory):
    path = tmp_path_factory.mktemp("loaded")
    save_arrays(path / "weights.npz", arrays)
    yield path
    (path / "weights.npz").unlink()


@pytest.fixture(scope="module")
def model(folder):
    model = build("vgg16", (32, 32, 3), 2, normalization=IMAGENET)
    load_into(model, folder)
    return model


def test_the_same_arrays_give_the_same_bytes(folder, tmp_path, arrays):
    save_arrays(tmp_path / "again.npz", arrays)
    assert (tmp_path / "again.npz").read_bytes() == (folder / "weights.npz").read_bytes()


def test_every_convolution_gets_its_own(model, arrays):
    kernels = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    assert len(kernels) == 13
    for layer in kernels:
        kernel, bias = layer.get_weights()
        np.testing.assert_array_equal(kernel, arrays[f"{layer.name}_kernel"])
        np.testing.assert_array_equal(bias, arrays[f"{layer.name}_bias"])


def test_without_arrays_the_line_says_who_writes_them(tmp_path):
    with pytest.raises(
        PipelineError, match=r"weights\.npz: not there; run `dvc repro weights`, which makes it"
    ):
        load_into(None, tmp_path)


def test_the_base_is_the_one_of_keras_applications(model, folder):
    images = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype="uint8")
    theirs = keras.applications.VGG16(include_top=False, weights=None, input_shape=(32, 32, 3))
    load_into(theirs, folder)
    wanted = theirs.predict(
        keras.applications.vgg16.preprocess_input(images.astype("float32")), verbose=0
    )
    base = FrozenBase("vgg16", (32, 32, 3), IMAGENET, folder).maps(["block5_pool"])
    assert wanted.max() > 1
    np.testing.assert_allclose(base.predict(images, verbose=0), wanted, rtol=1e-5, atol=1e-4)


def test_the_head_on_the_maps_is_the_model_on_the_pixels(model, folder):
    images = np.random.default_rng(1).integers(0, 256, (5, 32, 32, 3), dtype="uint8")
    base = FrozenBase("vgg16", (32, 32, 3), IMAGENET, folder)
    layers = ["block5_pool", base.below("block5_conv1")]
    maps, below = base.maps(layers).predict(images, verbose=0)
    assert maps.shape == (5, *base.output_shape("block5_pool"))
    assert below.shape == (5, *base.output_shape("block4_pool"))
    whole = model.predict(images, verbose=0)
    head, from_below = (
        keras.Model(model.get_layer(layer).output, model.output).predict(found, verbose=0)
        for layer, found in zip(layers, (maps, below), strict=True)
    )
    np.testing.assert_allclose(head, whole, atol=1e-5)
    np.testing.assert_allclose(from_below, whole, atol=1e-5)


def test_what_is_below_a_layer(folder):
    base = FrozenBase("vgg16", (32, 32, 3), IMAGENET, folder)
    assert base.below("block5_conv1") == "block4_pool"
    assert base.below("block5_conv3") == "block5_conv2"
    assert base.below("block1_conv1") is None
    assert base.end == "block5_pool"


@pytest.mark.parametrize(
    ("shape", "images"), [((150, 150, 3), 32), ((48, 48, 3), 312), ((1024, 1024, 3), 1)]
)
def test_a_batch_has_a_number_of_pixels(shape, images):
    assert batch_size(shape) == images
