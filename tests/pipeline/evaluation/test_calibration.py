"""Temperature: a known one is recovered, in numpy and as a layer; and calibration error."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.evaluation import certainty
from pipeline.evaluation.calibration import at_temperature, fit_temperature
from pipeline.networks import build, saving
from pipeline.networks.building import single_view
from pipeline.networks.temperature import Temperature, with_temperature

MINMAX = {"method": "minmax", "mean": [], "variance": []}


def drawn(temperature: float, images: int = 20_000, classes: int = 5, seed: int = 0):
    """Probabilities that are right as often as they say at `temperature`, and labels."""
    generator = np.random.default_rng(seed)
    scores = generator.normal(0, 2, (images, classes))
    honest = at_temperature(np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True), temperature)
    labels = (honest.cumsum(axis=1) > generator.random((images, 1))).argmax(axis=1)
    said = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    return said.astype("float32"), labels


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
@pytest.mark.parametrize("classes", [2, 5])
def test_a_known_temperature_is_recovered(temperature, classes):
    said, labels = drawn(temperature, classes=classes)
    found = fit_temperature(said, labels)
    assert found == pytest.approx(temperature, rel=0.06)
    right = said.argmax(axis=1) == labels
    cooled = at_temperature(said, found)
    assert certainty.calibration_error(cooled.max(axis=1), right) < 0.015
    if temperature != 1:
        assert certainty.calibration_error(said.max(axis=1), right) > 0.05
    losses = [certainty.log_loss(p, labels).mean() for p in (cooled, said)]
    assert losses[0] <= losses[1] + 1e-9


def test_it_is_the_lowest_loss_of_all():
    said, labels = drawn(1.7, images=500)
    best = fit_temperature(said, labels)
    loss = [
        certainty.log_loss(at_temperature(said, t), labels).mean()
        for t in (best, best * 0.9, best * 1.1)
    ]
    assert loss[0] < min(loss[1:])


@settings(max_examples=30, deadline=None)
@given(st.floats(0.1, 10), st.integers(0, 1000))
def test_the_order_of_the_classes_stays_and_the_way_back_is_the_same(temperature, seed):
    said, _ = drawn(1.0, images=20, seed=seed)
    other = at_temperature(said, temperature)
    assert (other.argsort(axis=1) == said.argsort(axis=1)).all()
    np.testing.assert_allclose(other.sum(axis=1), 1)
    if temperature > 1:
        np.testing.assert_allclose(at_temperature(other, 1 / temperature), said, atol=1e-5)


def test_an_interval_holds_the_figure_and_is_the_same_each_time():
    said, labels = drawn(2.0, images=400)
    first, second = (certainty.described(said, labels) for _ in range(2))
    assert first == second
    low, high = first["loss_interval"]
    assert low < first["loss"] < high


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("views", [1, 2])
def test_the_layer_says_what_numpy_says_and_is_saved(classes, views, tmp_path):
    keras.utils.set_random_seed(1)
    model = build("tiny_cnn", (8, 8, 1), classes, normalization=MINMAX, views=views, mirror=True)
    images = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 1), dtype="uint8")
    plain = model.predict(images, verbose=0)
    both = np.hstack([1 - plain, plain]) if classes == 2 else plain
    calibrated = with_temperature(model, 2.5)
    saving.save_model(calibrated, tmp_path / "model.keras")
    loaded = saving.load_model(tmp_path / "model.keras")
    assert isinstance(loaded.layers[-1], Temperature)
    expected = at_temperature(both, 2.5)
    found = loaded.predict(images, verbose=0)
    np.testing.assert_allclose(found, expected[:, 1:] if classes == 2 else expected, atol=1e-5)
    one_view = single_view(loaded).predict(images, verbose=0)  # what Grad-CAM explains
    np.testing.assert_allclose(one_view, single_view(model).predict(images, verbose=0), atol=1e-6)
