"""Reliability by bins, and the expected calibration error."""

import numpy as np
import pytest

from pipeline.figures.reliability import reliability, reliability_figure


def test_error_is_the_mean_gap_weighted_by_images() -> None:
    confidence = np.array([0.95, 0.95, 0.95, 0.95, 0.35])
    right = np.array([True, True, True, False, True])
    found = reliability(confidence, right, bins=10)
    assert found.count.tolist() == [0, 0, 0, 1, 0, 0, 0, 0, 0, 4]
    assert found.accuracy[9] == 0.75
    assert found.confidence[3] == pytest.approx(0.35)
    assert np.isnan(found.accuracy[0])
    assert found.error == pytest.approx((4 * (0.95 - 0.75) + 1 * (1 - 0.35)) / 5)


def test_a_bin_is_open_below_and_closed_above() -> None:
    found = reliability(np.array([0.0, 0.1, 0.100001, 1.0]), np.ones(4, bool), bins=10)
    assert found.count.tolist() == [2, 1, 0, 0, 0, 0, 0, 0, 0, 1]


def test_a_perfectly_calibrated_model_has_no_error() -> None:
    confidence = np.full(10, 0.7)
    right = np.arange(10) < 7
    assert reliability(confidence, right).error == pytest.approx(0)


def test_what_is_no_number_is_left_out() -> None:
    found = reliability(np.array([np.nan, 1.0]), np.array([False, True]))
    assert found.count.sum() == 1
    assert found.error == 0


@pytest.mark.parametrize("images", [0, 1, 50])
def test_the_picture_shows_the_filled_bins_and_is_the_same_each_time(drawn, images: int) -> None:
    generator = np.random.default_rng(0)
    found = reliability(generator.random(images), generator.random(images) < 0.5)
    top, bottom = drawn(reliability_figure, found).axes
    assert len(top.patches) == (found.count > 0).sum()
    assert [bar.get_height() for bar in bottom.patches] == found.count.tolist()
    assert reliability_figure(found) == reliability_figure(found)
