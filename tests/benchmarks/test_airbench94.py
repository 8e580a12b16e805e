"""The plain airbench94: its parts against their definitions, and a tiny run as a process."""

import re
from pathlib import Path

import numpy as np
import pytest

from benchmarks import measuring
from benchmarks.plain import airbench94
from tests import forking
from tests.support import REPOSITORY


def photographs(count: int) -> np.ndarray:
    """uint8 (count, 12, 12, 3): smooth, so that neighbouring pixels are much alike."""
    generator = np.random.default_rng(1)
    waves = generator.normal(size=(count, 12, 12, 3)).cumsum(axis=1).cumsum(axis=2)
    return np.clip(waves * 8 + 128, 0, 255).astype("uint8")


def test_its_whitening_makes_the_patches_uncorrelated():
    images = photographs(300).astype("float32") / 255
    kernel = airbench94._whitening_kernel(images - images.mean((0, 1, 2)))
    assert kernel.shape == (2, 2, 3, 24)
    np.testing.assert_array_equal(kernel[..., 12:], -kernel[..., :12])
    moved = images - images.mean((0, 1, 2))
    patches = np.lib.stride_tricks.sliding_window_view(moved, (2, 2), axis=(1, 2))
    found = np.einsum("nyxcij,ijcf->nyxf", patches, kernel[..., :12]).reshape(-1, 12)
    second = found.T @ found / len(found)
    np.testing.assert_allclose(second - np.diag(second.diagonal()), 0, atol=1e-6)
    # As large as the epsilon lets it be; the first direction hardly feels that.
    assert 0.95 < second[0, 0] <= 1
    assert np.all(np.diff(second.diagonal()) <= 1e-6)


def test_its_convolutions_begin_as_the_identity():
    kernel = np.asarray(airbench94._identity((3, 3, 4, 6)))
    expected = np.zeros((3, 3, 4, 4))
    expected[1, 1] = np.eye(4)
    np.testing.assert_array_equal(kernel[..., :4], expected)
    rest = np.abs(kernel[..., 4:])
    assert 0.1 < rest.max() <= 1 / 6
    wide = np.asarray(airbench94._identity((3, 3, 6, 4)))
    np.testing.assert_array_equal(wide[1, 1], np.eye(6, 4))


def test_images_move_by_two_pixels_and_turn_every_other_epoch():
    images = photographs(40)
    padded = np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)), "reflect")
    turned: list[list[bool]] = []
    for epoch, moved, order in airbench94._epochs(images, 3, np.random.default_rng(7)):
        assert epoch == len(turned)
        assert sorted(order) == list(range(40))
        turned.append([])
        for image, window in zip(padded, moved, strict=True):
            places = [image[y : y + 12, x : x + 12] for y in range(5) for x in range(5)]
            as_is = any(np.array_equal(place, window) for place in places)
            mirrored = any(np.array_equal(place[:, ::-1], window) for place in places)
            assert as_is != mirrored
            turned[-1].append(mirrored)
    first, second, third = map(np.array, turned)
    assert 5 < first.sum() < 35
    np.testing.assert_array_equal(second, ~first)
    np.testing.assert_array_equal(third, first)


class Corner:
    """A 'model' whose logits are two pixels of the upper left corner."""

    def predict_on_batch(self, pixels: np.ndarray) -> np.ndarray:
        return pixels[:, 0, :2, 0].astype("float64")


def test_its_six_views():
    image = np.arange(9, dtype="float64").reshape(1, 3, 3, 1)  # 0 1 2 / 3 4 5 / 6 7 8
    # The corner's pixels as it is, moved up and left, and down and right: 0 1, 4 3, 4 5;
    # of the mirror images 2 1, 4 3, 4 5.
    expected = np.array([0 + 2, 1 + 1]) / 4 + np.array([4 + 4 + 4 + 4, 3 + 3 + 5 + 5]) / 8
    found = airbench94.mean_of_views(Corner(), image)
    np.testing.assert_allclose(found, [expected])
    same = airbench94.mean_of_views(Corner(), np.full((700, 3, 3, 1), 5.0))
    np.testing.assert_allclose(same, np.full((700, 2), 5.0))


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_a_tiny_run(tmp_path: Path, dtype: str, monkeypatch: pytest.MonkeyPatch):
    """Digits of one colour each are learned in 20 steps; half an epoch at the end is half of one."""
    prepared = tmp_path / "data/prepared"
    prepared.mkdir(parents=True)
    generator = np.random.default_rng(0)
    classes = generator.integers(0, 3, 400)
    images = generator.integers(0, 60, (400, 16, 16, 3)).astype("uint8")
    images[np.arange(400), :, :, classes] += 120
    for part, chosen in (("train", slice(320)), ("test", slice(320, None))):
        np.save(prepared / f"{part}_images.npy", images[chosen])
        np.save(prepared / f"{part}_labels.npy", np.eye(3, dtype="float32")[classes[chosen]])
    arguments = ["--epochs", "4.5", "--batch-size", "64", "--seed", "42", "--threads", "1"]
    monkeypatch.chdir(tmp_path)
    done = forking.run(
        *("benchmarks.plain.airbench94", *arguments, "--dtype", dtype),
        environment={"PATH": "", "PYTHONPATH": str(REPOSITORY), "HOME": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    ends = [line for line in lines if measuring.EPOCH.match(line)]
    assert [line.split(" - ")[0] for line in ends] == ["5/5"] * 4 + ["3/5"]
    losses = [float(re.search(r"loss: (\S+)", line)[1]) for line in ends]
    assert losses[-1] < 0.75 * losses[0]
    found = measuring.ACCURACY.match(lines[-1])
    assert found
    assert float(found[1]) > 0.9
