"""The worst mistakes: wrong predictions, most confident first."""

import numpy as np

from pipeline.explain import worst_mistakes


def test_wrong_predictions_come_most_confident_first() -> None:
    probabilities = np.array([[0.6, 0.4, 0], [0.1, 0.9, 0], [0.2, 0.1, 0.7], [0.3, 0.3, 0.4]])
    labels = np.array([1, 0, 2, 0])  # wrong, surely wrong, right, hardly wrong
    assert worst_mistakes(labels, probabilities, 10).tolist() == [1, 0, 3]
    assert worst_mistakes(labels, probabilities, 2).tolist() == [1, 0]


def test_equally_confident_ones_stay_in_order() -> None:
    probabilities = np.full((5, 2), [0.8, 0.2], np.float32)
    assert worst_mistakes(np.ones(5, int), probabilities, 5).tolist() == [0, 1, 2, 3, 4]


def test_one_column_is_the_probability_of_class_1() -> None:
    probabilities = np.array([[0.5], [0.1], [0.45], [0.99]], np.float32)
    labels = np.array([1, 1, 1, 1])
    # 0.5 counts for class 0; 0.1 means 0.9 sure of class 0.
    assert worst_mistakes(labels, probabilities, 4).tolist() == [1, 2, 0]


def test_a_perfect_model_makes_none() -> None:
    assert worst_mistakes(np.array([0, 1]), np.eye(2), 3).tolist() == []
