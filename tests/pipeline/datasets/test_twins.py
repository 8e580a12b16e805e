"""Twins: what is planted is found, strangers are not, however close images lie in a set."""

import numpy as np
import pytest
from PIL import Image

from pipeline.datasets import doubles, twins
from pipeline.runtime import paths

IMAGES = 400


def scenes(count: int = IMAGES, seed: int = 0, side: int = 32) -> np.ndarray:
    """Smooth random pictures, uint8 (count, side, side, 3)."""
    coarse = np.random.default_rng(seed).integers(0, 256, (count, 6, 6, 3), dtype="uint8")
    return np.stack(
        [
            np.asarray(Image.fromarray(x).resize((side, side), Image.Resampling.BICUBIC))
            for x in coarse
        ]
    )


def digits(count: int = IMAGES, seed: int = 0) -> np.ndarray:
    """Strokes that differ in three numbers only, so that all lie close: uint8 (count, 28, 28, 1)."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[:28, :28]
    shift, slope, width = generator.uniform((-4, -0.4, 1.5), (4, 0.4, 3.5), (count, 3)).T
    off = x[None] - 14 - shift[:, None, None] - slope[:, None, None] * (y[None] - 14)
    return (255 * np.exp(-((off / width[:, None, None]) ** 2)))[..., None].astype("uint8")


def changed(image: np.ndarray) -> np.ndarray:
    """The same picture, moved by a pixel, brighter, and with a little noise."""
    noise = np.random.default_rng(1).normal(0, 3, image.shape)
    moved = np.roll(image, 1, axis=1).astype("float32")
    return np.clip(0.85 * moved + 30 + noise, 0, 255).astype("uint8")


def pairs(images: np.ndarray) -> set[tuple[int, int]]:
    found = twins.find(twins.shrunk(images), twins.hashes(images))
    return set(zip(found.first.tolist(), found.second.tolist(), strict=True))


@pytest.mark.parametrize("seed", range(3))
def test_planted_twins_are_found_and_no_others(seed):
    images = scenes(seed=seed)
    planted = {(i, IMAGES - 1 - i) for i in range(20)}
    for one, other in planted:
        images[other] = changed(images[one])
    found = pairs(images)
    assert len(found & planted) >= 18
    assert len(found - planted) <= 1


def test_images_of_few_dimensions_are_no_twins_for_lying_close():
    images = digits()
    nearest = np.sort(twins.shrunk(images) @ twins.shrunk(images).T, axis=1)[:, -2]
    assert np.median(nearest) > 0.97  # a threshold of cosines would call most of them twins
    assert len(pairs(images)) <= 4
    images[1] = images[0]
    assert (0, 1) in pairs(images)


def test_a_second_opinion_is_needed():
    images = scenes()
    images[7] = images[3]
    vectors, hashed = twins.shrunk(images), twins.hashes(images)
    assert twins.find(vectors, hashed).bits.tolist() == [0]
    hashed[7] ^= 255  # every bit differs
    assert not len(twins.find(vectors, hashed).first)


def test_blocks_give_what_one_block_gives(monkeypatch):
    images = scenes(150)
    images[140] = changed(images[2])
    whole = twins.find(twins.shrunk(images), twins.hashes(images))
    monkeypatch.setattr(twins, "_BLOCK_BYTES", 150 * 4 * 7)  # seven rows
    monkeypatch.setattr(twins, "_STEP_BYTES", 11 * 4 * images[0].size)
    parts = twins.find(twins.shrunk(images), twins.hashes(images))
    assert whole.first.tolist() == parts.first.tolist() == [2]
    np.testing.assert_allclose(whole.chance, parts.chance, rtol=1e-3)
    assert whole.dimension == pytest.approx(parts.dimension, rel=1e-3)


def test_an_even_picture_is_no_twin_of_another():
    images = np.full((100, 16, 16, 1), 7, "uint8")
    images[50:] = 9
    assert not pairs(images)


def test_edges_see_through_other_colours():
    images = scenes()
    planted = {(i, IMAGES - 1 - i) for i in range(20)}
    for one, other in planted:
        images[other] = (images[one] // 2 + 60)[..., [1, 2, 0]]
    vectors, hashed = twins.edges(images), twins.hashes(images)
    found = twins.find(vectors, hashed)
    both = set(zip(found.first.tolist(), found.second.tolist(), strict=True))
    assert len(both & planted) >= 18
    assert len(both - planted) <= 1
    assert len(pairs(images) & planted) < 10  # the pixels do not


def test_too_few_images_say_nothing():
    assert not pairs(np.repeat(scenes(1), 12, axis=0))


def test_what_the_stage_writes_names_the_part_that_leaks():
    images = scenes()
    parts = {"train": images[:250], "validation": images[250:300], "test": images[300:].copy()}
    parts["test"][5] = changed(parts["train"][17])
    parts["test"][9] = changed(parts["test"][8])
    none = dict.fromkeys(paths.PARTS)
    found = doubles.describe(parts, none)
    assert found["pairs"] == {"test-test": 1, "train-test": 1}
    assert (found["tested"], found["leaking"]) == ([5], [17])
    first = found["shown"][0]["images"]
    assert first == [{"part": "train", "position": 17}, {"part": "test", "position": 5}]


def test_a_base_s_features_are_a_further_opinion():
    images = scenes()
    features = np.random.default_rng(0).normal(size=(IMAGES, 40)).astype("float32")
    images[399] = np.roll(images[0], 1, axis=0)
    features[399] = features[0] + 0.01
    cut = {"train": slice(0, 200), "validation": slice(200, 200), "test": slice(200, 400)}
    found = doubles.describe(
        {part: images[rows] for part, rows in cut.items()},
        {part: features[rows] for part, rows in cut.items()},
    )
    assert found["tested"] == [199]
    assert found["shown"][0]["by"] == "pixels and edges and features"
    assert set(found["dimensions"]) == {"pixels", "edges", "features"}


@pytest.mark.parametrize("columns", [60, 1_599, 1_600, 3_000, 20_001])
def test_the_largest_are_those_that_a_sort_finds(columns: int) -> None:
    generator = np.random.default_rng(columns)
    values = generator.normal(size=(7, columns)).astype("float32")
    values[1] = 0.5  # all the same
    values[2] = np.sort(values[2])  # the largest share a group
    values[3] = generator.integers(0, 3, columns)
    found = twins.largest(values, 50)
    assert all(len(set(row)) == 50 for row in found.tolist())
    nearest = np.sort(np.take_along_axis(values, found, axis=1), axis=1)
    np.testing.assert_array_equal(nearest, np.sort(values, axis=1)[:, -50:])
