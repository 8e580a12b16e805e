"""Augmentation: the right direction, the right size, the nearest pixel at the edge."""

import numpy as np

from pipeline.training import augmentation
from pipeline.training.augmentation import affine, random_maps

IDENTITY = [1, 0, 0, 0, 1, 0, 0, 0]


def test_the_ranges_are_those_documented():
    maps = random_maps(4000, (100, 100), np.random.default_rng(0), mirror=False).astype("float64")
    a0, a1, a2, b0, b1, b2 = maps[:, :6].T
    angle = np.rad2deg(np.arctan2(b0, a0))
    assert 19 < angle.max() <= 20.01
    assert -20.01 <= angle.min() < -19
    zoom = np.hypot(a0, b0)
    assert 0.9 <= zoom.min() < 0.905
    assert 1.095 < zoom.max() <= 1.1001
    centre_x = a0 * 49.5 + a1 * 49.5 + a2 - 49.5
    centre_y = b0 * 49.5 + b1 * 49.5 + b2 - 49.5
    for shift in (centre_x, centre_y):
        assert 9.9 < np.abs(shift).max() <= 10.001


def test_half_are_mirrored_where_it_makes_sense():
    generator = np.random.default_rng(0)
    mirrored = random_maps(2000, (10, 10), generator, mirror=True)[:, 0] < 0
    assert 0.45 < mirrored.mean() < 0.55
    assert (random_maps(2000, (10, 10), generator, mirror=False)[:, 0] > 0).all()


def test_a_mirrored_image_is_its_mirror(monkeypatch):
    images = np.random.default_rng(0).integers(0, 256, (1, 5, 6, 3), dtype="uint8")
    mirror = np.array([[-1, 0, 5, 0, 1, 0, 0, 0]], "float32")
    monkeypatch.setattr(augmentation, "random_maps", lambda *_: mirror)
    np.testing.assert_array_equal(affine(images, None, True)[0], images[0, :, ::-1])


def test_no_motion_changes_no_pixel_and_a_shift_repeats_the_edge(monkeypatch):
    images = np.arange(25, dtype="uint8").reshape(1, 5, 5, 1)
    identity = np.array([IDENTITY], "float32")
    monkeypatch.setattr(augmentation, "random_maps", lambda *_: identity)
    np.testing.assert_array_equal(affine(images, None, False), images)
    right = np.array([[1, 0, 2, 0, 1, 0, 0, 0]], "float32")
    monkeypatch.setattr(augmentation, "random_maps", lambda *_: right)
    np.testing.assert_array_equal(affine(images, None, False)[0, 0, :, 0], [2, 3, 4, 4, 4])


def test_the_class_of_a_picture_survives():
    """A bright square in the middle stays bright and in the middle."""
    images = np.zeros((64, 32, 32, 1), "uint8")
    images[:, 10:22, 10:22] = 200
    moved = affine(images, np.random.default_rng(0), True)
    assert moved.dtype == np.uint8
    assert (moved[:, 14:18, 14:18].mean(axis=(1, 2, 3)) > 150).all()
    assert (moved != images).any(axis=(1, 2, 3)).all()


def test_translation_moves_by_up_to_two_pixels_of_32_and_mirrors_the_chosen():
    images = np.random.default_rng(3).integers(0, 256, (200, 32, 32, 1), dtype="uint8")
    mirrored = np.arange(200) % 2 == 0
    moved = augmentation.translate(images, np.random.default_rng(4), mirrored)
    assert moved.dtype == np.uint8
    padded = np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)), "reflect")
    found = set()
    for image, frame, flip in zip(moved, padded, mirrored, strict=True):
        image = image[:, ::-1] if flip else image
        places = [
            (down, right)
            for down in range(5)
            for right in range(5)
            if (frame[down : down + 32, right : right + 32] == image).all()
        ]
        assert len(places) == 1
        found.add(places[0])
    assert len(found) == 25
