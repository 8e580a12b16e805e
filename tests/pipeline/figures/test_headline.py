"""The few numbers on top, and the sentences made of them."""

import pytest
from scipy.stats import binomtest

from pipeline.figures import headline


@pytest.mark.parametrize(("right", "images"), [(971, 1000), (0, 10), (10, 10), (1, 2)])
def test_the_interval_is_wilsons(right: int, images: int) -> None:
    expected = binomtest(right, images).proportion_ci(0.95, method="wilson")
    assert headline.wilson_interval(right, images) == pytest.approx(tuple(expected), abs=1e-4)


def test_the_baseline_is_chosen_in_training_and_scored_in_the_test() -> None:
    counts = {"train": [5, 9, 7], "validation": [9, 0, 0], "test": [50, 20, 30]}
    baseline = headline.majority_baseline(counts, ["a", "b", "c"])
    assert (baseline.name, baseline.right, baseline.images) == ("b", 20, 100)
    assert baseline.accuracy == 0.2


@pytest.mark.parametrize(
    ("train", "validation", "word"),
    [(0.99, 0.80, "by heart"), (0.90, 0.95, "better on images"), (0.95, 0.94, "gap of 1.0")],
)
def test_the_gap_is_put_in_words(train: float, validation: float, word: str) -> None:
    assert word in headline._gap_sentence(train, validation)
