"""McNemar's test against its definition and a published table, and the spread over seeds."""

from math import comb, isclose

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.comparison.chance import compare, compare_all, incomparable, mcnemar
from tools.runs.run import Outcome, Results, Run
from tools.runs.spread import spread


def made(right: list[int], **changes) -> Run:
    found = Run("id", "name", "MLflow", "FINISHED", 0, {}, {}, Results(), data_digest="d")
    found.results.outcome = Outcome(np.array(right, dtype=bool), changes.pop("images", "same"))
    for name, value in changes.items():
        setattr(found, name, value)
    return found


def test_the_published_example():
    # Fagerland, Lydersen and Laake 2013: 1 and 7 discordant pairs, mid-p 0.039.
    assert mcnemar(1, 7) == pytest.approx(0.0390625)
    assert mcnemar(7, 1) == mcnemar(1, 7)


@given(st.integers(0, 60), st.integers(0, 60))
def test_it_is_the_definition(first, second):
    unlike, least = first + second, min(first, second)
    if unlike == 0:
        expected = 1.0
    else:
        below = sum(comb(unlike, k) for k in range(least))
        expected = (2 * below + comb(unlike, least)) / 2**unlike
    assert isclose(mcnemar(first, second), expected, rel_tol=1e-9)
    assert mcnemar(first, second) <= 1 + 1e-12


def test_equal_models_and_many_images():
    assert mcnemar(0, 0) == 1
    assert mcnemar(500, 500) == pytest.approx(1)
    assert 0 <= mcnemar(400, 600) < 1e-9


def test_two_outcomes_are_counted():
    found = compare(made([1, 1, 0, 0, 1]), made([1, 0, 1, 1, 1]))
    assert (found.images, found.both, found.only_first, found.only_second) == (5, 2, 1, 2)
    assert found.difference == pytest.approx(0.2)
    assert found.p == mcnemar(1, 2)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, ""),
        ({"images": "others"}, "their test parts are not the same images in the same order"),
        ({"data_digest": "e"}, "they were trained and scored on other data"),
        (
            {"data_digest": "e", "parameters": {"split_seed": "7"}},
            "they were trained and scored on other data (another split_seed)",
        ),
    ],
)
def test_why_two_runs_are_not_compared(changes, reason):
    first, second = made([1, 0]), made([1, 1], **changes)
    assert incomparable(first, second) == reason
    if reason:
        with pytest.raises(ValueError, match=r"^the(y|ir) "):
            compare(first, second)


def test_the_same_test_part_of_another_split_is_enough():
    first, second = made([1, 0], test_digest="t"), made([1, 1], test_digest="t", data_digest="e")
    assert incomparable(first, second) == ""
    second.test_digest = "u"
    assert incomparable(first, second).startswith("they were trained and scored on other data")


def test_runs_without_data_digest_or_predictions():
    one, two = made([1, 0], data_digest=""), made([1, 1], data_digest="")
    assert incomparable(one, two) == "they were trained and scored on other data"
    two.results.outcome = None
    assert incomparable(one, two) == "name has no predictions"


@given(
    st.lists(
        st.tuples(
            st.lists(st.integers(0, 1), min_size=3, max_size=3),
            st.sampled_from([{}, {"images": "others"}, {"data_digest": "e"}, {"test_digest": "t"}]),
            st.booleans(),
        ),
        max_size=6,
    )
)
def test_all_pairs_are_what_each_pair_would_be(chosen):
    runs = [made(right, name=f"run {i}", **what) for i, (right, what, _) in enumerate(chosen)]
    for run, (*_, without) in zip(runs, chosen, strict=True):
        if without:
            run.results.outcome = None
    found = compare_all(runs)
    pairs = [(runs[j], runs[i]) for i in range(len(runs)) for j in range(i)]
    assert len(found.both) == len(found.p) == len(pairs)
    for both, p, (first, second) in zip(found.both, found.p, pairs, strict=True):
        if reason := incomparable(first, second):
            assert found.reasons[-1 - both] == reason
        else:
            expected = compare(first, second)
            assert (both, p) == (expected.both, expected.p)


def test_the_spread():
    assert str(spread([0.5, 0.7, 0.9])) == "0.7000 ± 0.2000 (3)"
    assert str(spread([0.5])) == "0.5000 (1)"
