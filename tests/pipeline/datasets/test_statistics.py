"""Mean and variance of the channels: exact, whatever the order and the size of the steps."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pipeline.datasets.statistics import channel_statistics

image_arrays = arrays.arrays(
    "uint8",
    st.tuples(st.integers(1, 9), st.integers(1, 4), st.integers(1, 4), st.sampled_from([1, 3])),
)


@given(image_arrays)
def test_they_are_numpys(images: np.ndarray) -> None:
    found = channel_statistics([images])
    wide = images.astype("float64")
    assert found.mean == pytest.approx(wide.mean(axis=(0, 1, 2)), abs=1e-9)
    assert found.variance == pytest.approx(wide.var(axis=(0, 1, 2)), abs=1e-6)


@given(image_arrays, st.randoms(), st.integers(1, 9))
def test_neither_order_nor_batches_change_a_bit(
    images: np.ndarray, random: object, step: int
) -> None:
    order = list(range(len(images)))
    random.shuffle(order)  # type: ignore[attr-defined]
    batches = [images[order[start : start + step]] for start in range(0, len(images), step)]
    assert channel_statistics(batches) == channel_statistics([images])


def test_one_value_has_no_variance() -> None:
    found = channel_statistics([np.full((3, 2, 2, 1), 7, "uint8")])
    assert (found.mean, found.variance) == ([7.0], [0.0])
