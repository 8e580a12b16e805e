"""Feature maps as pictures: standardised channels, sixteen a row."""

import io

import numpy as np
import pytest
from PIL import Image

from pipeline.figures import activations
from pipeline.figures.activations import CLEAR


def test_each_channel_is_standardised_for_itself() -> None:
    maps = np.zeros((2, 2, 2), np.float32)
    maps[..., 0] = [[0, 2], [0, 2]]  # mean 1, standard deviation 1
    maps[..., 1] = [[1000, 1000], [1000, 5000]]
    scaled = activations.standardised(maps)
    assert scaled[..., 0].tolist() == [[64, 192], [64, 192]]
    spread = np.sqrt(3) * 1000
    assert scaled[1, 1, 1] == round(128 + 64 * 3000 / spread)


@pytest.mark.parametrize("value", [0.0, 0.1, -3e30, 1e-30])
def test_a_constant_channel_is_even(value: float) -> None:
    scaled = activations.standardised(np.full((7, 5, 1), value, np.float32))
    assert (scaled == 128).all()


def test_a_channel_that_is_constant_but_for_rounding_is_even() -> None:
    maps = np.full((6, 6, 1), 0.1, np.float32)
    maps[::2] = np.nextafter(maps[::2], np.float32(1))
    assert (activations.standardised(maps) == 128).all()


def test_sixteen_channels_stand_in_a_row() -> None:
    maps = np.random.default_rng(0).normal(size=(23, 23, 17)).astype(np.float32)
    sheet = activations.channel_sheet(maps)
    assert sheet.shape == (2 * 46 + 2, 16 * 46 + 15 * 2)
    assert (sheet[48:, 46:] == CLEAR).all()  # one channel in the second row
    shown = activations.standardised(maps) * (239 / 255)
    second = np.rint(shown[..., 1]).repeat(2, axis=0).repeat(2, axis=1)
    assert sheet[:46, 48:94].tolist() == second.tolist()
    last = np.rint(shown[..., 16]).repeat(2, axis=0).repeat(2, axis=1)
    assert sheet[48:, :46].tolist() == last.tolist()


def test_fewer_than_sixteen_channels_make_a_shorter_row() -> None:
    maps = np.zeros((46, 46, 3), np.float32)
    assert activations.channel_sheet(maps).shape == (46, 3 * 46 + 2 * 2)


@pytest.mark.parametrize("shape", [(1, 1, 4), (150, 140, 2), (300, 2, 1), (65, 64, 1), (64, 1, 20)])
def test_maps_of_any_size_fit(shape: tuple[int, int, int]) -> None:
    maps = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    sheet = activations.channel_sheet(maps)
    columns = min(shape[2], 16)
    assert sheet.shape[1] <= columns * 66
    assert (sheet != CLEAR).any()


def test_large_maps_are_averaged_not_sampled() -> None:
    maps = np.zeros((128, 128, 1), np.float32)
    maps[::2] = 1  # every second row: sampling would show one value only, and that an extreme
    sheet = activations.channel_sheet(maps)
    assert sheet.shape == (64, 64)
    assert abs(int(sheet[5, 5]) - 120) <= 1


def test_the_picture_has_a_title_a_clear_ground_and_the_same_bytes() -> None:
    maps = np.random.default_rng(0).normal(size=(8, 8, 3)).astype(np.float32)
    png = activations.activations_figure("block1_conv1", maps)
    assert png == activations.activations_figure("block1_conv1", maps)
    assert png != activations.activations_figure("block1_conv2", maps)
    picture = np.asarray(Image.open(io.BytesIO(png)).convert("RGBA"))
    title, below = picture[:26], picture[26:]
    assert (title[..., 3] > 200).any()
    assert (title[..., 3] == 0).any()
    assert (below[:, :48, 3] == 255).all()  # 8 pixels, each six times: one cell
