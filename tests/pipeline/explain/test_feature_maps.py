"""The feature maps of one image, layer by layer."""

import keras
import numpy as np
import pytest

from pipeline.errors import PipelineError
from pipeline.explain import activations, grad_cam
from pipeline.networks import build
from pipeline.networks.building import single_view

MINMAX = {"method": "minmax", "mean": [0.0], "variance": [1.0]}


def step_by_step(model: keras.Model, image: np.ndarray) -> dict[str, np.ndarray]:
    """Every layer's output, from one layer to the next."""
    values, found = keras.ops.convert_to_tensor(image[np.newaxis]), {}
    for layer in model.layers[1:]:
        values = layer(values, training=False)
        found[layer.name] = keras.ops.convert_to_numpy(values)[0]
    return found


def test_they_are_the_layers_outputs_in_order(model, images) -> None:
    maps = activations(model, images[3])
    expected = step_by_step(model, images[3])
    assert list(maps) == ["conv_1", "conv_2"]
    for name, values in maps.items():
        assert values.dtype == np.float32
        np.testing.assert_allclose(values, expected[name], rtol=1e-5, atol=1e-6)
    assert maps["conv_1"].min() < 0  # published linear, so not cut at zero


def test_pools_count_dropouts_do_not() -> None:
    small = build("three_block_cnn", (16, 16, 3), 4, normalization=MINMAX)
    maps = activations(small, np.zeros((16, 16, 3), np.uint8))
    assert list(maps) == ["conv_1", "pool_1", "conv_2", "pool_2", "conv_3", "pool_3"]
    assert maps["pool_3"].shape == (2, 2, 256)


def test_a_padded_pool_counts() -> None:
    deep = build("mnist_deep_cnn", (28, 28, 1), 2, normalization=MINMAX)
    assert activations(deep, np.zeros((28, 28, 1), np.uint8))["pool_3"].shape == (4, 4, 128)


@pytest.mark.parametrize("activation", ["maxout", "leaky_relu"])
def test_an_activation_in_a_layer_of_its_own_belongs_to_the_convolution(activation: str) -> None:
    other = build("mnist_cnn", (8, 8, 1), 3, activation=activation, normalization=MINMAX)
    image = np.random.default_rng(0).integers(0, 256, (8, 8, 1), np.uint8)
    maps = activations(other, image)
    expected = step_by_step(other, image)
    assert list(maps) == ["conv_1", "pool_1", "conv_2", "pool_2"]
    assert maps["conv_1"].shape == (8, 8, 32)
    np.testing.assert_allclose(maps["conv_1"], expected[f"conv_1_{activation}"], rtol=1e-5)


def test_vgg16_shows_its_first_eight_layers() -> None:
    imagenet = {"method": "imagenet", "mean": [], "variance": []}
    vgg = build("vgg16", (32, 32, 3), 2, normalization=imagenet)
    maps = activations(vgg, np.full((32, 32, 3), 99, np.uint8))
    assert list(maps) == [
        *("block1_conv1", "block1_conv2", "block1_pool"),
        *("block2_conv1", "block2_conv2", "block2_pool"),
        *("block3_conv1", "block3_conv2"),
    ]
    assert list(activations(vgg, np.zeros((32, 32, 3), np.uint8), count=2))[-1] == "block1_conv2"


def test_the_single_view_of_a_model_with_views_has_maps_and_heat() -> None:
    fast = build("fast_cnn", (16, 16, 3), 3, normalization=MINMAX, views=6, mirror=True)
    image = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    maps = activations(single_view(fast), image)
    assert list(maps) == ["whitening", *(f"conv_{i}" for i in range(1, 7))]
    expected = step_by_step(single_view(fast), image)
    np.testing.assert_allclose(maps["whitening"], expected["whitening_quick_gelu"], rtol=1e-5)
    np.testing.assert_allclose(maps["conv_1"], expected["conv_1_quick_gelu"], rtol=1e-5)
    assert maps["conv_1"].shape == (7, 7, 64)
    assert grad_cam(single_view(fast), image[np.newaxis]).shape == (1, 16, 16)


def test_one_layer_alone(model, images) -> None:
    (maps,) = activations(model, images[0], count=1).values()
    assert maps.shape == (6, 6, 10)
    np.testing.assert_array_equal(maps, activations(model, images[0])["conv_1"])


def test_a_model_without_maps_has_none() -> None:
    dense = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten()])
    assert activations(dense, np.zeros((4, 4, 1), np.uint8)) == {}


def test_an_image_of_another_shape_is_refused(model) -> None:
    with pytest.raises(PipelineError, match=r"explain_image: .*\(9, 9, 1\) does not fit"):
        activations(model, np.zeros((9, 9, 1), np.uint8))
