"""Images as small pictures, and sheets of them with words."""

import io

import numpy as np
import pytest
from PIL import Image

from pipeline.figures import pictures, tiles
from pipeline.figures.pictures import Mistake


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def image(height: int = 6, width: int = 6, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def test_grey_images_become_three_equal_channels_and_a_grey_png() -> None:
    grey = image()[..., :1]
    coloured = tiles.rgb(grey)
    assert coloured.shape == (6, 6, 3)
    assert (coloured == grey).all()
    assert Image.open(io.BytesIO(tiles.png(coloured))).mode == "L"
    assert (pixels(tiles.png(coloured)) == coloured).all()
    assert (pixels(tiles.png(image())) == image()).all()


def test_large_images_are_shrunk_in_proportion_and_small_ones_kept() -> None:
    assert tiles.shrunk(image(200, 100), 50).shape == (50, 25, 3)
    assert tiles.shrunk(image(300, 1), 50).shape == (50, 1, 3)
    assert (tiles.shrunk(image(), 50) == image()).all()


def test_small_images_grow_by_whole_pixels() -> None:
    grown = tiles.fitted(image(28, 28), 64)
    assert grown.shape == (56, 56, 3)
    assert (grown[::2, ::2] == image(28, 28)).all()


def test_heat_is_laid_over_the_right_pixels() -> None:
    black = np.zeros((4, 4, 3), np.uint8)
    heat = np.zeros((4, 4), np.float32)
    heat[1, 2] = 0.9
    shown = tiles.overlay(black, heat).astype(int)
    assert shown[1, 2, 0] > shown[1, 2, 2] + 50  # red where it is hot
    assert (shown[0, 0] == shown[3, 3]).all()
    assert shown[0, 0, 0] < 60


def test_heat_follows_an_image_that_was_shrunk() -> None:
    heat = np.zeros((100, 50), np.float32)
    heat[:50] = 1
    small = tiles.heat_like(heat, np.zeros((20, 10, 3), np.uint8))
    assert small.shape == (20, 10)
    assert small[2, 5] == 1
    assert small[17, 5] == 0


def test_samples_are_the_first_images_of_each_class() -> None:
    labels = np.eye(3)[[2, 0, 0, 2, 1] * 4]
    found = pictures.samples_of_each(labels, 3)
    assert found == [[1, 2, 6, 7, 11, 12, 16, 17], [4, 9, 14, 19], [0, 3, 5, 8, 10, 13, 15, 18]]


@pytest.mark.parametrize(("classes", "each"), [(12, 8), (13, 4), (30, 4), (31, 1), (100, 1)])
def test_the_more_classes_the_fewer_samples_each(classes: int, each: int) -> None:
    found = pictures.samples_of_each(np.eye(classes)[np.arange(10 * classes) % classes], classes)
    assert [len(positions) for positions in found] == [each] * classes


def test_of_very_many_classes_the_first_are_sampled() -> None:
    found = pictures.samples_of_each(np.eye(300), 300)
    assert found == [[number] for number in range(pictures.SAMPLED_CLASSES)]


def test_labels_are_read_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    class Counting(np.ndarray):
        read = 0

        def __getitem__(self, key):
            Counting.read += key.stop - key.start
            return np.asarray(super().__getitem__(key))

    labels = np.tile(np.eye(2, dtype="float32"), (2_000_000, 1)).view(Counting)
    pictures.samples_of_each(labels, 2)
    assert Counting.read == 500_000  # the first piece has eight of each; the rest is not touched


def test_the_samples_sheet_has_every_image(tmp_path) -> None:
    rows = [[image(8, 8, seed) for seed in range(3)], [], [image(8, 8, 9)]]
    png = pictures.samples_figure(rows, ["cat", "dog", "고양이"])
    assert png == pictures.samples_figure(rows, ["cat", "dog", "고양이"])
    sheet = pixels(png)
    assert sheet.shape[0] == 2 * (64 + 3) + 3  # the class without images is left out
    for row, column, seed in ((0, 0, 0), (0, 1, 1), (0, 2, 2), (1, 0, 9)):
        left = sheet.shape[1] - (3 - column) * 67
        top = 3 + row * 67
        assert (sheet[top : top + 64 : 8, left : left + 64 : 8] == image(8, 8, seed)).all()


def test_one_sample_a_class_stands_above_its_name() -> None:
    rows = [[image(8, 8, seed)] for seed in range(11)]
    sheet = pixels(pictures.samples_figure(rows, [f"class {number}" for number in range(11)]))
    assert sheet.shape[:2] == (2 * (64 + 31), 10 * 100)


@pytest.mark.parametrize("heat", [None, np.full((28, 28), 0.5, np.float32)])
def test_the_mistakes_sheet_shows_them_in_order(heat: np.ndarray | None) -> None:
    mistakes = [Mistake(image(28, 28, n), heat, 0, 1, 0.9, n, "") for n in range(5)]
    png = pictures.mistakes_figure(mistakes, ["cat", "$ 고양이"])
    assert png == pictures.mistakes_figure(mistakes, ["cat", "$ 고양이"])
    sheet = pixels(png)
    width = 112 if heat is None else 224
    cell = max(width + 8, 200)
    left = cell + (cell - width) // 2  # the second of the first row
    assert (sheet[4:116:4, left : left + 112 : 4] == image(28, 28, 1)).all()
    if heat is not None:
        shown = sheet[4:116:4, left + 112 : left + 224 : 4]
        assert (shown == tiles.overlay(image(28, 28, 1), heat)).all()
