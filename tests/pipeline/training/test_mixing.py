"""mixup and cutmix: an image is shared as its label is."""

import numpy as np
import pytest

from pipeline.training.batches import Batches
from pipeline.training.mixing import mix

# Image i is all i · 20, and of class i: what is mixed can be read off the pixels.
IMAGES = np.repeat(np.arange(8, dtype="uint8") * 20, 12 * 10).reshape(8, 12, 10, 1)
LABELS = np.eye(8, dtype="float32")


@pytest.mark.parametrize("seed", range(20))
def test_mixup_shares_pixels_as_labels(seed):
    images, labels = mix(IMAGES, LABELS, 0.4, 0.0, np.random.default_rng(seed))
    assert (images.dtype, labels.dtype) == ("uint8", "float32")
    np.testing.assert_allclose(labels.sum(axis=1), 1, atol=1e-6)
    wanted = labels @ (np.arange(8) * 20.0)
    np.testing.assert_allclose(images[:, 0, 0, 0], wanted, atol=0.501)
    assert (images == images[:, :1, :1]).all()
    shares = np.sort(labels, axis=1)[:, -2:]
    moved = (labels != LABELS).any(axis=1)
    assert len(np.unique(shares[moved].round(5), axis=0)) <= 1  # one share a batch


@pytest.mark.parametrize("seed", range(20))
def test_cutmix_shares_the_area_as_labels(seed):
    images, labels = mix(IMAGES, LABELS, 0.0, 1.0, np.random.default_rng(seed))
    for own in range(8):
        values, counts = np.unique(images[own], return_counts=True)
        area = np.zeros(8)
        area[values // 20] = counts / (12 * 10)
        np.testing.assert_allclose(labels[own], area, atol=1e-6)
        other = images[own, :, :, 0] != own * 20
        rows, columns = other.any(axis=1), other.any(axis=0)
        assert other.sum() == rows.sum() * columns.sum()  # a rectangle


def test_both_take_turns_and_none_changes_nothing():
    kinds = set()
    for seed in range(30):
        images, _ = mix(IMAGES, LABELS, 0.4, 1.0, np.random.default_rng(seed))
        kinds.add(bool((images == images[:, :1, :1]).all()))
    assert kinds == {True, False}
    images, labels = mix(IMAGES, LABELS, 0.0, 0.0, np.random.default_rng(0))
    assert images is IMAGES
    assert labels is LABELS


def test_batches_mix_by_seed_epoch_and_batch_and_share_two_classes():
    two = np.eye(2, dtype="float32")[[0, 1] * 4]
    options = {
        "seed": 3,
        "shuffle": True,
        "mixup": 0.4,
        "class_weights": np.array([1, 3], "float32"),
    }
    batches, again = (Batches(IMAGES, two, 4, **options) for _ in range(2))
    images, targets, weights = batches[1]
    np.testing.assert_array_equal(images, again[1][0])
    assert targets.shape == (4, 1)
    assert ((targets > 0) & (targets < 1)).any()
    np.testing.assert_allclose(weights, 1 + 2 * targets[:, 0], atol=1e-6)
    batches.epoch = 1
    assert (batches[1][0] != images).any()
