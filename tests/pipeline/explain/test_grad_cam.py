"""Grad-CAM against the formula by hand, finite differences, and models where it is known."""

import importlib.util
import os

import keras
import numpy as np
import pytest

from pipeline import backend
from pipeline.explain import grad_cam
from pipeline.explain.cam import BATCH
from pipeline.networks import build
from tests import forking
from tests.support import REPOSITORY

MINMAX = {"method": "minmax", "mean": [0.0], "variance": [1.0]}


def pass_through(classes: int = 2, output: str | None = None) -> keras.Model:
    """Two maps that are the image and 255 less it; weights of the output are set by the test."""
    inputs = keras.Input((4, 4, 1), dtype="uint8")
    values = keras.layers.Rescaling(1 / 255)(inputs)
    values = keras.layers.Conv2D(2, 1, name="conv_1")(values)
    values = keras.layers.Flatten()(values)
    units = 1 if classes == 2 else classes
    activation = output or ("sigmoid" if units == 1 else "softmax")
    model = keras.Model(inputs, keras.layers.Dense(units, activation, name="output")(values))
    model.get_layer("conv_1").set_weights([np.array([[[[1.0, -1.0]]]]), np.array([0.0, 1.0])])
    return model


def set_output(model: keras.Model, first: float, second: float, bias: float = 0) -> None:
    """The same weight for every pixel of each of the two maps."""
    kernel = np.tile([[first], [second]], (16, 1))
    model.get_layer("output").set_weights([kernel, np.array([bias])])


@pytest.fixture
def bright() -> np.ndarray:
    """One image, black but for one corner."""
    image = np.zeros((1, 4, 4, 1), np.uint8)
    image[0, 1, 2] = 255
    return image


def test_it_shows_the_pixel_that_spoke_for_class_1(bright) -> None:
    model = pass_through()
    set_output(model, 3, 0)  # the score is three times the sum of the pixels
    heat = grad_cam(model, bright)
    assert heat.shape == (1, 4, 4)
    assert heat.dtype == np.float32
    assert heat[0, 1, 2] == 1
    assert heat.sum() == 1


def test_for_class_0_of_two_the_sign_turns(bright) -> None:
    model = pass_through()
    set_output(model, 0, -1)  # the inverse map speaks against class 1: class 0 is predicted
    heat = grad_cam(model, bright)
    assert heat[0, 1, 2] == 0
    assert heat.sum() == 15


def test_nothing_that_speaks_for_the_class_is_all_zero(bright) -> None:
    model = pass_through()
    set_output(model, -1, 0, bias=5)  # class 1 by its bias alone, against what the pixels say
    assert not grad_cam(model, bright).any()


def test_a_class_that_is_sure_keeps_its_gradient(bright) -> None:
    model = pass_through()
    set_output(model, 1e4, 0)  # sigmoid and its gradient are 1 and 0 in float32
    assert grad_cam(model, bright)[0, 1, 2] == 1


def test_it_is_the_formula(model, images) -> None:
    last = model.get_layer("conv_2")
    maps = keras.Model(model.inputs[0], last.output)(images)
    dense, output = model.get_layer("dense_1"), model.get_layer("output")

    def logits(values: np.ndarray) -> np.ndarray:
        hidden = values.reshape(len(values), -1) @ np.asarray(dense.kernel) + np.asarray(dense.bias)
        return np.maximum(hidden, 0) @ np.asarray(output.kernel) + np.asarray(output.bias)

    values = np.asarray(maps, np.float64)
    predicted = logits(values).argmax(axis=1)
    picked = np.arange(len(values)), predicted
    weights = np.zeros((len(values), values.shape[3]))
    step = 1e-4
    for channel in range(values.shape[3]):
        for y in range(values.shape[1]):
            for x in range(values.shape[2]):
                up, down = values.copy(), values.copy()
                up[:, y, x, channel] += step
                down[:, y, x, channel] -= step
                change = (logits(up)[picked] - logits(down)[picked]) / (2 * step)
                weights[:, channel] += change / (values.shape[1] * values.shape[2])
    heat = np.maximum((values * weights[:, np.newaxis, np.newaxis]).sum(axis=3), 0)
    heat = np.asarray(keras.ops.image.resize(heat[..., None].astype("float32"), (8, 8)))[..., 0]
    largest = heat.max(axis=(1, 2), keepdims=True)
    expected = np.divide(heat, largest, out=np.zeros_like(heat), where=largest > 0)
    np.testing.assert_allclose(grad_cam(model, images), expected, atol=2e-3)
    assert len(images) > BATCH  # so that more than one batch was run


def test_an_image_has_the_same_map_whatever_stands_beside_it(model, images) -> None:
    together = grad_cam(model, images)
    for position in (0, BATCH - 1, BATCH, len(images) - 1):
        alone = grad_cam(model, images[position : position + 1])[0]
        np.testing.assert_allclose(alone, together[position], atol=1e-5)


@pytest.mark.parametrize("activation", [None, "maxout", "leaky_relu"])
@pytest.mark.parametrize("name", ["mnist_cnn", "mnist_deep_cnn", "three_block_cnn"])
def test_every_network_gives_maps_of_its_images(name: str, activation: str | None) -> None:
    keras.utils.set_random_seed(3)
    other = build(name, (14, 12, 1), 4, activation=activation, normalization=MINMAX)
    shown = np.random.default_rng(0).integers(0, 256, (2, 14, 12, 1), np.uint8)
    heat = grad_cam(other, shown)
    assert heat.shape == (2, 14, 12)
    assert heat.min() >= 0
    assert set(heat.max(axis=(1, 2))) <= {0.0, 1.0}


def test_vgg16_gives_maps() -> None:
    keras.utils.set_random_seed(3)
    imagenet = {"method": "imagenet", "mean": [], "variance": []}
    vgg = build("vgg16", (32, 32, 3), 2, normalization=imagenet)
    shown = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), np.uint8)
    heat = grad_cam(vgg, shown)
    assert heat.shape == (3, 32, 32)
    assert np.isfinite(heat).all()


def test_no_images_and_no_convolutions_give_no_heat(model) -> None:
    assert grad_cam(model, np.zeros((0, 8, 8, 1), np.uint8)).shape == (0, 8, 8)
    dense = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten()])
    assert not grad_cam(dense, np.zeros((2, 4, 4, 1), np.uint8)).any()


def test_gradient_is_that_of_the_function() -> None:
    at = keras.ops.convert_to_tensor(np.array([1.0, -2.0, 3.0], np.float32))
    found = backend.gradient(lambda x: keras.ops.sum(x**3), at)
    assert keras.ops.convert_to_numpy(found).tolist() == [3, 12, 27]


@pytest.mark.parametrize("name", ["jax", "torch"])
def test_other_backends_give_the_same_map(name: str) -> None:
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed: make setup EXTRA={name}")
    code = (
        "import numpy as np\n"
        "from tests.pipeline.explain.test_grad_cam import pass_through, set_output\n"
        "from pipeline.explain import activations, grad_cam\n"
        "model = pass_through(); set_output(model, 3, 0)\n"
        "image = np.zeros((1, 4, 4, 1), np.uint8); image[0, 1, 2] = 255\n"
        "print(grad_cam(model, image)[0, 1, 2], grad_cam(model, image).sum())\n"
        "print(activations(model, image[0])['conv_1'][1, 2].round(6).tolist())\n"
    )
    path = {"KERAS_BACKEND": name, "PYTHONPATH": str(REPOSITORY)}
    result = forking.run(code=code, environment={**os.environ, **path})
    assert result.stdout == "1.0 1.0\n[1.0, 0.0]\n", result.stderr
