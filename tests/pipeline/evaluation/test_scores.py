"""The scores against counts done by hand and against scikit-learn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from pipeline.evaluation.scores import score
from pipeline.networks.predicting import both_columns


def one_hot(labels, classes):
    return np.eye(classes, dtype="float32")[labels]


def test_by_hand():
    """Class 0: 2 of 3 found; class 1: 1 of 1, one false alarm; class 2: never predicted."""
    labels = one_hot([0, 0, 0, 1, 2], 3)
    probabilities = np.array(
        [[0.8, 0.1, 0.1], [0.6, 0.2, 0.2], [0.1, 0.8, 0.1], [0.2, 0.7, 0.1], [0.5, 0.3, 0.2]],
        "float32",
    )
    scores = score(labels, probabilities)
    np.testing.assert_array_equal(scores.confusion, [[2, 1, 0], [0, 1, 0], [1, 0, 0]])
    assert scores.summary["accuracy"] == pytest.approx(3 / 5)
    assert scores.classes[0] == pytest.approx((2 / 3, 2 / 3, 2 / 3, 3))
    assert scores.classes[1] == pytest.approx((1 / 2, 1, 2 / 3, 1))
    assert scores.classes[2] == pytest.approx((0, 0, 0, 1))
    assert scores.summary["precision"] == pytest.approx((2 / 3 + 1 / 2 + 0) / 3)
    assert scores.summary["recall"] == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert scores.summary["f1"] == pytest.approx((2 / 3 + 2 / 3) / 3)
    assert scores.summary["weighted"]["recall"] == pytest.approx(3 / 5)
    expected = -np.log([0.8, 0.6, 0.1, 0.7, 0.2]).mean()
    assert scores.summary["loss"] == pytest.approx(expected, rel=1e-6)
    assert scores.summary["images"] == 5
    assert "top_5" not in scores.summary


def test_as_scikit_learn_has_it():
    generator = np.random.default_rng(0)
    true = generator.integers(0, 20, 500)
    probabilities = generator.dirichlet(np.ones(20), 500).astype("float32")
    scores = score(one_hot(true, 20), probabilities)
    predicted = probabilities.argmax(axis=1)
    assert scores.summary["f1"] == pytest.approx(metrics.f1_score(true, predicted, average="macro"))
    assert scores.summary["weighted"]["precision"] == pytest.approx(
        metrics.precision_score(true, predicted, average="weighted", zero_division=0)
    )
    assert scores.summary["loss"] == pytest.approx(
        metrics.log_loss(true, probabilities.astype("float64"), labels=range(20)), rel=1e-4
    )
    assert scores.summary["top_5"] == pytest.approx(
        metrics.top_k_accuracy_score(true, probabilities, k=5, labels=range(20))
    )


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_each_class_bit_by_bit_as_scikit_learn_has_it(data):
    classes = data.draw(st.integers(2, 12))
    pair = st.tuples(st.integers(0, classes - 1), st.integers(0, classes - 1))
    true, predicted = np.array(data.draw(st.lists(pair, min_size=1, max_size=40))).T
    scores = score(one_hot(true, classes), one_hot(predicted, classes))
    every = list(range(classes))
    expected = metrics.precision_recall_fscore_support(
        true, predicted, labels=every, zero_division=0
    )
    assert scores.classes == list(zip(*map(np.ndarray.tolist, expected), strict=True))
    np.testing.assert_array_equal(
        scores.confusion, metrics.confusion_matrix(true, predicted, labels=every)
    )
    assert scores.confusion.dtype == np.int64


def test_one_unit_is_two_columns():
    np.testing.assert_allclose(
        both_columns(np.array([[0.25], [1.0]], "float32")), [[0.75, 0.25], [0, 1]]
    )
    three = np.ones((2, 3), "float32")
    assert both_columns(three) is three


def test_a_certain_mistake_costs_a_finite_loss():
    scores = score(one_hot([0], 2), np.array([[0.0, 1.0]], "float32"))
    assert scores.summary["loss"] == pytest.approx(-np.log(1e-7), rel=1e-6)
