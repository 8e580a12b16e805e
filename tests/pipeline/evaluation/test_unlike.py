"""Unlike the training images: strangers are far, one in twenty of the same kind is called so."""

import numpy as np
import pytest

from pipeline.evaluation import unlike
from pipeline.evaluation.reference import Reference


def features(images: int, seed: int, kinds: int = 4, width: int = 30, first: int = 0):
    """Averages of maps: float32 (images, width), around the means of the kinds from `first` on."""
    generator = np.random.default_rng(seed)
    means = np.random.default_rng(98).gamma(0.5, 4, (first + kinds, width))[first:]
    noise = generator.normal(0, 0.6, (images, width))
    strength = generator.uniform(0.5, 2, (images, 1))  # as a picture's contrast: no matter
    found = strength * np.maximum(means[generator.integers(0, kinds, images)] + noise, 0)
    return found.astype("float32")


@pytest.mark.parametrize("width", [30, 700])
def test_strangers_are_far_and_one_in_twenty_is_called_so(width):
    found = unlike.fit(features(1000, 0, width=width), features(3000, 1, width=width))
    assert found.points.shape == (1000, min(width, unlike.WIDTH))
    share = (found.distances(features(4000, 2, width=width)) > found.threshold).mean()
    assert share == pytest.approx(unlike.EXPECTED, abs=0.015)
    strangers = features(500, 3, first=4, width=width)
    assert (found.distances(strangers) > found.threshold).mean() > 0.95


def test_how_strong_the_answer_is_does_not_matter():
    training = features(200, 0)
    found = unlike.fit(training, training)
    some = features(20, 5)
    np.testing.assert_allclose(found.distances(3 * some), found.distances(some), atol=1e-6)


def test_few_images_and_features_that_never_vary():
    still = np.ones((3, 8), "float32")
    found = unlike.fit(still, still)
    assert not (found.distances(still) > found.threshold + 0.05).any()
    assert np.isfinite(found.distances(np.zeros((2, 8), "float32"))).all()


def test_the_sample_is_spread_over_all_and_large_enough_for_many_classes():
    assert unlike.sample(10, 3).tolist() == list(range(10))
    rows = unlike.sample(50_000, 100)
    assert (len(rows), rows[0], rows[-1]) == (2000, 0, 49_999)


def test_as_it_is_kept_beside_the_model(tmp_path):
    training = features(200, 0)
    fitted = unlike.fit(training, training)
    scores = np.array([0.1, 0.2], "float32")
    reference = Reference(1.25, True, scores, "pool_2", fitted)
    reference.save(tmp_path / "a.npz")
    reference.save(tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    read = Reference.load(tmp_path / "a.npz")
    assert (read.temperature, read.applied, read.layer) == (1.25, True, "pool_2")
    np.testing.assert_array_equal(read.unlike.distances(training), fitted.distances(training))
    assert Reference.load(tmp_path / "none.npz") is None
