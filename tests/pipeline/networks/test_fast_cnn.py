"""The layers of fast_cnn: whitening, convolutions that begin as the identity, views."""

import keras
import numpy as np
import pytest

from pipeline.errors import PipelineError
from pipeline.networks import build, saving
from pipeline.networks.building import single_view
from pipeline.networks.layers import IdentityConvolution
from pipeline.networks.views import MeanOfViews, Views
from pipeline.networks.whitening import fit_whitening, whitening_kernel

MINMAX = {"method": "minmax", "mean": [], "variance": []}


def photographs(count: int, size: int = 12, channels: int = 3) -> np.ndarray:
    """uint8 images whose neighbouring pixels are alike, as in photographs."""
    noise = np.random.default_rng(0).normal(size=(count, size, size, channels))
    smooth = noise.cumsum(axis=1).cumsum(axis=2)
    return np.clip(128 + 12 * smooth, 0, 255).astype("uint8")


@pytest.mark.parametrize("channels", [1, 3])
def test_whitened_patches_are_uncorrelated_and_of_variance_one(channels):
    images = photographs(200, channels=channels) / np.float32(255) - np.float32(0.5)
    kernel = whitening_kernel(images)
    numbers = 4 * channels
    assert kernel.shape == (2, 2, channels, 2 * numbers)
    np.testing.assert_array_equal(kernel[..., :numbers], -kernel[..., numbers:])
    maps = keras.ops.convert_to_numpy(keras.ops.conv(images, kernel[..., :numbers]))
    flat = maps.reshape(-1, numbers).astype("float64")
    covariance = flat.T @ flat / len(flat)
    np.testing.assert_allclose(covariance - np.diag(np.diag(covariance)), 0, atol=1e-3)
    variances = np.diag(covariance)
    assert variances[0] == pytest.approx(1, abs=0.02)
    assert (np.diff(variances) < 1e-6).all()  # what hardly varies is damped, not blown up


def test_the_whitening_is_fitted_on_the_normalised_images_and_not_trained():
    images = photographs(300)
    model = build("fast_cnn", (12, 12, 3), 3, normalization=MINMAX)
    layer = model.get_layer("whitening")
    fit_whitening(model, images)
    np.testing.assert_allclose(
        layer.kernel, whitening_kernel(images / np.float32(255)), rtol=1e-3, atol=1e-3
    )
    before = np.array(layer.kernel)
    model.compile("sgd", "categorical_crossentropy")
    model.fit(images[:8], np.eye(3, dtype="float32")[[0, 1, 2, 0, 1, 2, 0, 1]], verbose=0)
    np.testing.assert_array_equal(layer.kernel, before)


def test_the_first_filters_hand_their_channel_on():
    kernel = keras.ops.convert_to_numpy(IdentityConvolution()((3, 3, 2, 5)))
    maps = np.random.default_rng(1).normal(size=(1, 4, 4, 2)).astype("float32")
    moved = keras.ops.convert_to_numpy(keras.ops.conv(maps, kernel, padding="same"))
    np.testing.assert_allclose(moved[..., :2], maps, atol=1e-6)
    others = kernel[..., 2:]
    assert others.std() > 0
    assert abs(others).max() <= 18**-0.5
    wide = keras.ops.convert_to_numpy(IdentityConvolution()((3, 3, 5, 2)))
    np.testing.assert_array_equal(wide[1, 1, :2], np.eye(2))


@pytest.mark.parametrize(("views", "mirror", "count"), [(1, True, 1), (2, True, 2), (6, True, 6), (6, False, 3), (2, False, 1)])  # fmt: skip
def test_a_prediction_is_the_weighted_mean_over_the_views(views, mirror, count):
    images = photographs(3, size=32)
    seen = keras.ops.convert_to_numpy(Views(views, mirror)(images)).reshape(3, count, 32, 32, 3)
    np.testing.assert_array_equal(seen[:, 0], images)
    if views == 6:
        np.testing.assert_array_equal(seen[:, 1, 1:, 1:], images[:, :-1, :-1])
        np.testing.assert_array_equal(seen[:, 2, :-1, :-1], images[:, 1:, 1:])
    if mirror and views > 1:
        np.testing.assert_array_equal(seen[:, count // 2 :], seen[:, : count // 2, :, ::-1])
    given = np.random.default_rng(2).random((3, count, 4)).astype("float32")
    mean = keras.ops.convert_to_numpy(MeanOfViews(views, mirror)(given.reshape(-1, 4)))
    weights = {1: [1], 2: [0.5] * 2, 3: [0.5, 0.25, 0.25], 6: [0.25, 0.125, 0.125] * 2}[count]
    np.testing.assert_allclose(mean, np.einsum("nvc,v->nc", given, weights), rtol=1e-5)


def test_a_saved_model_has_its_views_inside(tmp_path):
    keras.utils.set_random_seed(1)
    model = build("fast_cnn", (12, 12, 3), 4, normalization=MINMAX, views=2, mirror=True)
    images = photographs(5)
    fit_whitening(model, images)
    saving.save_model(model, tmp_path / "model.keras")
    again = saving.load_model(tmp_path / "model.keras")
    assert again.input.dtype == "uint8"
    predictions = again.predict(images, verbose=0)
    np.testing.assert_array_equal(predictions, model.predict(images, verbose=0))
    # The mirror image of an image has the same views.
    mirrored = again.predict(images[:, :, ::-1], verbose=0)
    np.testing.assert_allclose(predictions, mirrored, atol=1e-6)
    alone = single_view(again)
    assert [layer.name for layer in alone.layers[1:]] == [
        layer.name for layer in again.layers[2:-1]
    ]
    assert (abs(alone.predict(images, verbose=0) - predictions) > 1e-6).any()
    assert single_view(alone) is alone


def test_the_output_begins_near_even_probabilities():
    model = build("fast_cnn", (32, 32, 3), 10, normalization=MINMAX)
    probabilities = model.predict(photographs(20, 32), verbose=0)
    np.testing.assert_allclose(probabilities, 0.1, atol=0.05)


def test_maxout_has_no_pairs_to_choose_from():
    with pytest.raises(PipelineError, match="activation: maxout needs filters in pairs"):
        build("fast_cnn", (32, 32, 3), 10, activation="maxout")
