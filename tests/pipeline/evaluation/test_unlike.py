"""Unlike the training images: strangers are far, one in twenty of the same kind is called so."""

import numpy as np
import pytest

from pipeline.evaluation import unlike
from pipeline.evaluation.reference import Reference

CLASSES = 4


def features(images: int, seed: int, shift: float = 0.0, width: int = 30):
    """Averages of maps whose channels go together, with a mean a class, and labels."""
    generator = np.random.default_rng(seed)
    mixing = np.random.default_rng(99).normal(size=(width, width)) / 6
    means = np.random.default_rng(98).uniform(2, 6, (CLASSES, width))
    labels = generator.integers(0, CLASSES, images)
    noise = generator.normal(size=(images, width))
    # Along a direction in which the training images hardly vary.
    weak = np.linalg.svd(mixing)[0][:, -1]
    return np.maximum(means[labels] + noise @ mixing.T + shift * weak, 0).astype("float32"), labels


@pytest.mark.parametrize("width", [30, 700])
def test_strangers_are_far_and_one_in_twenty_is_called_so(width):
    training, labels = features(1500, 0, width=width)
    found = unlike.fit(training, labels, features(2000, 1, width=width)[0])
    assert found.precision.shape == (min(width, unlike.WIDTH),) * 2
    share = (found.distances(features(4000, 2, width=width)[0]) > found.threshold).mean()
    assert share == pytest.approx(unlike.EXPECTED, abs=0.015)
    if width == 30:
        far = found.distances(features(500, 3, shift=3.0)[0]) > found.threshold
        assert far.mean() > 0.95  # by the covariance: an Euclidean distance does not see it
        apart = features(500, 3, shift=3.0)[0] - features(500, 3)[0]
        assert np.linalg.norm(apart, axis=1).mean() < 3.5


def test_a_class_without_a_training_image():
    training, labels = features(300, 0)
    kept = labels != 2
    found = unlike.fit(training[kept], labels[kept], training[kept])
    assert found.means.shape == (CLASSES - 1, 30)
    assert np.isfinite(found.distances(training)).all()


def test_features_that_never_vary():
    still = np.ones((50, 8), "float32")
    found = unlike.fit(still, np.zeros(50, int), still)
    assert not (found.distances(still) > found.threshold).any()


def test_as_it_is_kept_beside_the_model(tmp_path):
    training, labels = features(200, 0)
    fitted = unlike.fit(training, labels, training)
    scores = np.array([0.1, 0.2], "float32")
    reference = Reference(1.25, True, scores, "pool_2", fitted)
    reference.save(tmp_path / "a.npz")
    reference.save(tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    read = Reference.load(tmp_path / "a.npz")
    assert (read.temperature, read.applied, read.layer) == (1.25, True, "pool_2")
    np.testing.assert_array_equal(read.unlike.distances(training), fitted.distances(training))
    assert Reference.load(tmp_path / "none.npz") is None
