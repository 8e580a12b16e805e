"""Folds and groups: stratified, nothing torn, the test part the same with and without."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.datasets import folds
from pipeline.datasets.split import Wish, split
from pipeline.errors import PipelineError

NAMES = ["cat", "dog", "emu"]


def shuffled(sizes: list[int], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))


@settings(max_examples=25)
@given(st.lists(st.integers(5, 40), min_size=3, max_size=3), st.integers(2, 5))
def test_folds_are_of_one_size_and_so_is_each_class_in_them(sizes: list[int], count: int) -> None:
    labels = shuffled(sizes)
    found = folds.assign(labels, None, count, NAMES)
    table = np.array([np.bincount(labels[found == k], minlength=3) for k in range(count)])
    assert np.ptp(table.sum(axis=1)) <= 1
    assert np.ptp(table, axis=0).max() <= 1


def test_each_image_validates_once_and_the_test_part_is_that_of_no_folds() -> None:
    labels = shuffled([30, 40, 50])
    without = split(labels, {}, Wish(0.3, 0.2, 7), NAMES)
    validated = []
    for fold in range(5):
        parts = split(labels, {}, Wish(0.3, 0.2, 7, 5, fold), NAMES)
        assert parts["test"].tolist() == without["test"].tolist()
        assert not set(parts["train"]) & set(parts["validation"])
        validated += parts["validation"].tolist()
    assert sorted(validated) == sorted({*range(120)} - {*without["test"].tolist()})


def test_a_published_validation_part_joins_the_folds_and_the_test_stays() -> None:
    labels = shuffled([20, 20, 20])
    published = {
        "train": np.arange(30),
        "validation": np.arange(30, 45),
        "test": np.arange(45, 60),
    }
    parts = split(labels, published, Wish(0.3, 0.2, 7, 3, 1), NAMES)
    assert parts["test"].tolist() == list(range(45, 60))
    assert sorted([*parts["train"], *parts["validation"]]) == list(range(45))
    assert len(parts["validation"]) == 15


@settings(max_examples=25)
@given(st.integers(0, 1000), st.integers(1, 6))
def test_no_own_part_tears_a_group(seed: int, largest: int) -> None:
    random = np.random.default_rng(seed)
    groups = np.repeat(np.arange(90), random.integers(1, largest + 1, 90))
    labels = (groups % 3).astype("int64")
    order = random.permutation(len(groups))
    groups, labels = groups[order], labels[order]
    parts = split(labels, {}, Wish(0.25, 0.2, seed), NAMES, groups)
    owners = [set(groups[rows].tolist()) for rows in parts.values()]
    assert sum(map(len, owners)) == 90
    for part, share in (("test", 0.2), ("validation", 0.2)):
        counts = np.bincount(labels[parts[part]], minlength=3)
        assert np.abs(counts - share * np.bincount(labels)).max() <= largest
    fold = folds.assign(labels, groups, 5, NAMES)
    assert all(len(set(fold[groups == group])) == 1 for group in range(90))
    table = np.array([np.bincount(labels[fold == k], minlength=3) for k in range(5)])
    assert np.ptp(table, axis=0).max() <= largest


@pytest.mark.parametrize(("groups", "noun"), [(None, "3 images"), ([0, 0, 1], "2 groups")])
def test_a_class_with_fewer_than_the_folds_is_named(groups: list[int] | None, noun: str) -> None:
    labels = np.array([0] * 3 + [1] * 9)
    own = None if groups is None else np.array([*groups, *range(2, 11)])
    expected = f"folds: 5: class cat has {noun} outside the test part, fewer than folds; "
    with pytest.raises(PipelineError, match=expected):
        folds.assign(labels, own, 5, NAMES[:2])
