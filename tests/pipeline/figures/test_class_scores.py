"""Precision, recall, F1 and support of each class, read and drawn."""

import numpy as np

from pipeline.figures import classes
from pipeline.figures.classes import ClassScore


def test_rows_are_read_in_the_order_of_the_classes() -> None:
    row = {"class": "NA", "precision": "0.5", "recall": "1.0", "f1": "0.6666", "support": "7"}
    (score,) = classes.parse_classes([row])
    assert score == ClassScore(0, "NA", 0.5, 1.0, 0.6666, 7)


def test_all_classes_are_drawn_in_order_while_there_is_room() -> None:
    scores = [ClassScore(n, f"c{n}", 1, 1, 1 - n / 100, 5) for n in range(classes.DRAWN)]
    assert classes.drawn(scores) == scores


def test_of_too_many_classes_the_lowest_f1_are_drawn_first() -> None:
    f1 = np.random.default_rng(0).permutation(60) / 60
    scores = [ClassScore(n, f"c{n}", 1, 1, float(f1[n]), 5) for n in range(60)]
    shown = classes.drawn(scores)
    assert [score.f1 for score in shown] == sorted(f1)[: classes.DRAWN]


def test_marks_and_bars_stand_in_the_row_of_their_class(drawn) -> None:
    scores = [ClassScore(0, "cat", 0.9, 0.7, 0.8, 30), ClassScore(1, "dog", 0.6, 1.0, 0.75, 10)]
    left, right = drawn(classes.classes_figure, scores).axes
    marks = {marks.get_label(): marks.get_offsets().tolist() for marks in left.collections[1:]}
    assert marks["precision"] == [[0.9, 0], [0.6, 1]]
    assert marks["recall"] == [[0.7, 0], [1.0, 1]]
    assert marks["f1"] == [[0.8, 0], [0.75, 1]]
    assert [label.get_text() for label in left.get_yticklabels()] == ["cat", "dog"]
    assert [bar.get_width() for bar in right.patches] == [30, 10]
    low, high = left.get_xlim()
    assert low < 0.6 < 1.0 < high


def test_the_same_scores_give_the_same_bytes() -> None:
    scores = [ClassScore(n, f"c{n}", 0.0, 0.0, 0.0, 0) for n in range(3)]
    assert classes.classes_figure(scores) == classes.classes_figure(scores)
