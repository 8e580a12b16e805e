"""Augmentation: the right direction, the right size, the nearest pixel at the edge."""

import numpy as np

from pipeline.training import augmentation
from pipeline.training.augmentation import (
    affine,
    random_erasing,
    random_maps,
    random_resized_crop,
)

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


def ramp(count: int, height: int, width: int) -> np.ndarray:
    """Images whose red is the column, whose green is the row."""
    rows, columns = np.mgrid[:height, :width].astype("uint8")
    image = np.stack([columns, rows, np.zeros_like(rows)], axis=-1)
    return np.repeat(image[None], count, axis=0)


def test_a_resized_crop_is_a_part_of_the_image_brought_to_its_size():
    crops = random_resized_crop(ramp(200, 60, 90), np.random.default_rng(0), mirror=False)
    left, right = crops[:, 0, 0, 0].astype(int), crops[:, 0, -1, 0].astype(int)
    top, bottom = crops[:, 0, 0, 1].astype(int), crops[:, -1, 0, 1].astype(int)
    assert (left >= 0).all() and (right <= 89).all() and (left < right).all()  # noqa: PT018
    area = (right - left + 1) * (bottom - top + 1) / (60 * 90)
    assert area.min() < 0.15
    assert area.max() > 0.8
    ratio = (right - left + 1) / (bottom - top + 1)
    assert 0.7 < np.quantile(ratio, 0.05) < np.quantile(ratio, 0.95) < 1.55
    middle = crops[:, 30, 45, 0].astype(int)  # straight lines stay straight
    np.testing.assert_allclose(middle, left + (right - left) * 45 / 89, atol=1)


def test_half_of_the_resized_crops_are_mirrored():
    crops = random_resized_crop(ramp(400, 20, 30), np.random.default_rng(1), mirror=True)
    turned = crops[:, 0, 0, 0].astype(int) > crops[:, 0, -1, 0].astype(int)
    assert 0.4 < turned.mean() < 0.6


def test_erasing_puts_noise_over_a_rectangle_of_half_of_the_images():
    images = np.full((400, 40, 30, 3), 7, "uint8")
    erased = random_erasing(images, np.random.default_rng(0))
    assert (images == 7).all()
    touched = (erased != 7).any(axis=(1, 2, 3))
    assert 0.42 < touched.mean() < 0.58
    for image in erased[touched]:
        changed = (image != 7).any(axis=-1)
        rows, columns = changed.any(axis=1), changed.any(axis=0)
        area = rows.sum() * columns.sum() / changed.size
        assert 0.005 < area <= 0.45
        inside = image[rows][:, columns]
        if inside.size > 300:
            assert 90 < inside.mean() < 165  # noise, not one colour
            assert changed.sum() > 0.98 * rows.sum() * columns.sum()


def test_the_same_generator_gives_the_same_pixels():
    images = np.random.default_rng(9).integers(0, 256, (6, 12, 12, 3), dtype="uint8")
    for change in (
        lambda g: random_resized_crop(images, g, True),
        lambda g: random_erasing(images, g),
    ):
        one, two, other = (change(np.random.default_rng(seed)) for seed in (4, 4, 5))
        np.testing.assert_array_equal(one, two)
        assert (one != other).any()
