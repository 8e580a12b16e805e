"""The split: no overlap, no loss, stratified, the same for the same seed; and labels."""

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.model_selection import train_test_split

from pipeline.datasets.labels import one_hot
from pipeline.datasets.split import Wish, allocate, split
from pipeline.errors import PipelineError

NAMES = [f"class {number}" for number in range(12)]
fractions = st.decimals("0.01", "0.6", places=2).map(float)
class_sizes = st.lists(st.integers(3, 60), min_size=2, max_size=8)


def shuffled_labels(sizes: Sequence[int], seed: int = 0) -> np.ndarray:
    labels = np.repeat(np.arange(len(sizes)), sizes)
    return np.random.default_rng(seed).permutation(labels)


def names_of(labels: np.ndarray) -> list[str]:
    return NAMES[: labels.max() + 1]


@given(class_sizes, fractions, fractions, st.integers(0, 2**32 - 1))
def test_split_loses_nothing_and_keeps_every_class_within_one_image(
    sizes: list[int], validation: float, test: float, seed: int
) -> None:
    labels = shuffled_labels(sizes)
    try:
        parts = split(labels, {}, Wish(validation, test, seed), names_of(labels))
    except PipelineError:
        assume(False)
    everything = np.concatenate(list(parts.values()))
    assert sorted(everything.tolist()) == list(range(len(labels)))
    counts = {part: np.bincount(labels[rows], minlength=len(sizes)) for part, rows in parts.items()}
    assert min(count.min() for count in counts.values()) >= 1
    assert np.abs(counts["test"] - test * np.array(sizes)).max() <= 1 + 1e-9
    left = np.array(sizes) - counts["test"]
    assert np.abs(counts["validation"] - validation * left).max() <= 1 + 1e-9


@given(class_sizes, fractions, st.integers(0, 100))
def test_split_sizes_are_those_of_scikit_learn(
    sizes: list[int], fraction: float, seed: int
) -> None:
    """Where scikit-learn can split at all and no class is so small that it needs its one image."""
    assume(min(sizes) * fraction >= 1)
    labels = shuffled_labels(sizes)
    wanted = round(Fraction(str(fraction)) * len(labels))
    assume(len(sizes) <= wanted <= len(labels) - len(sizes))
    try:
        ours = split(labels, {}, Wish(0, fraction, seed), names_of(labels))
    except PipelineError:
        assume(False)
    _, theirs = train_test_split(
        np.arange(len(labels)), test_size=wanted, stratify=labels, random_state=seed
    )
    assert len(ours["test"]) == len(theirs)
    difference = np.bincount(labels[ours["test"]]) - np.bincount(labels[theirs])
    assert np.abs(difference).max() <= 1  # which classes get the remainders is chance there


def test_mnist_5k_becomes_2800_1200_1000() -> None:
    labels = np.repeat(np.arange(10), 500)
    parts = split(labels, {}, Wish(0.3, 0.2, 42), NAMES[:10])
    assert {part: len(rows) for part, rows in parts.items()} == {
        "train": 2800,
        "validation": 1200,
        "test": 1000,
    }
    for rows, each in ((parts["train"], 280), (parts["validation"], 120), (parts["test"], 100)):
        assert np.bincount(labels[rows]).tolist() == [each] * 10


def test_split_is_shuffled_and_follows_the_seed() -> None:
    labels = np.repeat(np.arange(10), 50)
    first, again, other = (
        split(labels, {}, Wish(0.3, 0.2, seed), NAMES[:10]) for seed in (1, 1, 2)
    )
    for part in first:
        assert first[part].tolist() == again[part].tolist()
        assert sorted(first[part].tolist()) != first[part].tolist()
        assert sorted(first[part].tolist()) != sorted(other[part].tolist())


def test_split_of_today_is_that_of_tomorrow() -> None:
    """Written down when it was made: a split must never change under a person's results."""
    parts = split(np.arange(20) % 2, {}, Wish(0.3, 0.2, 42), NAMES[:2])
    assert {part: rows.tolist() for part, rows in parts.items()} == EXPECTED


EXPECTED = {
    "train": [11, 3, 13, 9, 19, 4, 12, 7, 10, 14, 6],
    "validation": [1, 5, 18, 16, 2],
    "test": [0, 17, 15, 8],
}


def test_published_parts_are_used_as_they_are() -> None:
    labels = np.tile(np.arange(3), 40)
    published = {"train": np.arange(0, 90), "test": np.arange(90, 120)}
    parts = split(labels, published, Wish(0.3, 0.5, 42), NAMES[:3])
    assert parts["test"].tolist() == list(range(90, 120))
    assert sorted([*parts["train"], *parts["validation"]]) == list(range(90))
    assert len(parts["validation"]) == 27
    published["validation"] = np.arange(80, 90)
    published["train"] = np.arange(80)
    parts = split(labels, published, Wish(0.3, 0.5, 42), NAMES[:3])
    assert parts["validation"].tolist() == list(range(80, 90))
    assert sorted(parts["train"].tolist()) == list(range(80))


def test_validation_fraction_0_trains_on_all() -> None:
    labels = np.tile(np.arange(2), 10)
    parts = split(labels, {}, Wish(0, 0.2, 42), NAMES[:2])
    assert {part: len(rows) for part, rows in parts.items()} == {
        "train": 16,
        "validation": 0,
        "test": 4,
    }


def test_ten_thousand_classes_of_three_images() -> None:
    labels = np.repeat(np.arange(10_000), 3)
    parts = split(labels, {}, Wish(0.3, 0.2, 42), [str(number) for number in range(10_000)])
    for rows in parts.values():
        assert np.bincount(labels[rows], minlength=10_000).tolist() == [1] * 10_000


@pytest.mark.parametrize(
    ("few", "validation", "test", "message"),
    [
        (
            1,
            0.3,
            0.2,
            "dataset: class class 1 has 1 image to share between train, test and validation, too "
            "few for test_fraction 0.2; add images, remove the class or choose another fraction",
        ),
        (
            2,
            0.3,
            0.2,
            "dataset: class class 1 has 2 images to share between train, test and validation, too "
            "few for test_fraction 0.2; add images, remove the class or choose another fraction",
        ),
        (
            1,
            0,
            0.2,
            "dataset: class class 1 has 1 image to share between train and test, too few for "
            "test_fraction 0.2; add images, remove the class or choose another fraction",
        ),
        (
            4,
            0.3,
            0.9,
            "dataset: class class 1 has 4 images to share between train, test and validation, too "
            "few for test_fraction 0.9; add images, remove the class or choose another fraction",
        ),
    ],
)
def test_too_few_images_of_a_class_name_it(
    few: int, validation: float, test: float, message: str
) -> None:
    labels = shuffled_labels([40, few])
    with pytest.raises(PipelineError) as error:
        split(labels, {}, Wish(validation, test, 42), NAMES[:2])
    assert str(error.value) == message


@given(st.lists(st.integers(0, 11), max_size=50), st.integers(12, 30))
def test_one_hot(labels: list[int], classes: int) -> None:
    rows = one_hot(np.array(labels, "int64"), classes)
    assert rows.dtype == "float32"
    assert rows.shape == (len(labels), classes)
    assert rows.sum() == len(labels)
    assert rows.argmax(axis=1).tolist() == labels


def test_two_classes_have_two_columns() -> None:
    assert one_hot(np.array([1, 0]), 2).tolist() == [[0, 1], [1, 0]]


@pytest.mark.parametrize("labels", [[-1], [3], [[0]]])
def test_one_hot_refuses_other_labels(labels: list[int]) -> None:
    with pytest.raises(ValueError, match="labels"):
        one_hot(np.array(labels), 3)


def test_the_largest_remainders_are_rounded_up() -> None:
    """Three tenths of 10, 11 and 12 are 3, 3.3 and 3.6, of all 33 are 10."""
    assert allocate(np.array([10, 11, 12]), Fraction(3, 10), reserve=1).tolist() == [3, 3, 4]
    assert allocate(np.array([12, 11, 10]), Fraction(3, 10), reserve=1).tolist() == [4, 3, 3]
