"""The confusion matrix: shares, what is confused most, and where the picture puts each number."""

import numpy as np
import pytest

from pipeline.figures import confusion

# Rows are the true class: 5 of a, 4 of b, none of c. Not symmetric, on purpose.
MATRIX = np.array([[3, 2, 0], [0, 1, 3], [0, 0, 0]])
CLASSES = ["a", "b", "c"]


def test_shares_are_of_the_true_class() -> None:
    shares = confusion.row_shares(MATRIX)
    assert shares[0] == pytest.approx([0.6, 0.4, 0])
    assert shares[1] == pytest.approx([0, 0.25, 0.75])
    assert shares[2].tolist() == [0, 0, 0]  # no image: no share, and no division by zero


def test_most_confused_pairs_come_first_with_their_share() -> None:
    labels = ["a"] * 5 + ["b"] * 4
    predictions = ["a"] * 3 + ["b"] * 2 + ["b"] + ["c"] * 3
    first, second = confusion.most_confused(labels, predictions)
    assert (first.label, first.prediction, first.count, first.share) == ("b", "c", 3, 0.75)
    assert (second.label, second.prediction, second.count, second.share) == ("a", "b", 2, 0.4)
    assert len(confusion.most_confused(labels, predictions, 1)) == 1


def test_equally_frequent_confusions_are_in_the_order_of_their_names() -> None:
    found = confusion.most_confused(["b", "a", "a"], ["a", "c", "b"])
    assert [(pair.label, pair.prediction) for pair in found] == [("a", "b"), ("a", "c"), ("b", "a")]


def test_counts_stand_at_true_row_and_predicted_column(drawn) -> None:
    axes = drawn(confusion.counts_figure, MATRIX, CLASSES).axes[0]
    written = {text.get_position(): text.get_text() for text in axes.texts}
    assert written[(1.5, 0.5)] == "2"  # true a, predicted b
    assert written[(0.5, 1.5)] == ""  # true b, predicted a: never
    assert written[(2.5, 1.5)] == "3"  # true b, predicted c
    assert [label.get_text() for label in axes.get_yticklabels()] == CLASSES
    assert axes.get_ylim() == (3, 0)  # the first class at the top
    assert axes.get_ylabel() == "true"
    assert axes.collections[0].get_array().tolist() == MATRIX.tolist()


def test_shares_are_written_as_percentages(drawn) -> None:
    axes = drawn(confusion.shares_figure, MATRIX, CLASSES).axes[0]
    written = {text.get_position(): text.get_text() for text in axes.texts}
    assert written[(0.5, 0.5)] == "60%"
    assert written[(2.5, 1.5)] == "75%"
    assert written[(2.5, 2.5)] == ""


def test_nearly_all_is_not_written_as_all(drawn) -> None:
    matrix = np.array([[1999, 1], [0, 7]])
    axes = drawn(confusion.shares_figure, matrix, ["a", "b"]).axes[0]
    written = {text.get_position(): text.get_text() for text in axes.texts}
    assert written[(0.5, 0.5)] == "99.9%"
    assert written[(1.5, 1.5)] == "100%"


@pytest.mark.parametrize("name", ["", "a rather long name "])
@pytest.mark.parametrize("count", [2, 12, 13, 30])
def test_every_name_and_number_is_inside_the_picture(drawn, count: int, name: str) -> None:
    matrix = np.full((count, count), 88888)
    names = [f"{name}{number}" for number in range(count)]
    figure = drawn(confusion.counts_figure, matrix, names)
    axes = figure.axes[0]
    page = figure.bbox
    for label in [
        *axes.get_xticklabels(),
        *axes.get_yticklabels(),
        axes.xaxis.label,
        axes.yaxis.label,
    ]:
        box = label.get_window_extent()
        assert box.x0 >= 0
        assert box.y0 >= 0
        assert box.x1 <= page.width + 1
    box = axes.get_window_extent()
    assert 0.85 < box.width / box.height < 1.18  # cells about square
    assert all(text.get_window_extent().width < box.width / count for text in axes.texts)


def test_many_classes_are_colours_with_a_scale(drawn) -> None:
    matrix = np.random.default_rng(0).integers(0, 9, (100, 100))
    figure = drawn(confusion.shares_figure, matrix, [str(number) for number in range(100)])
    axes, scale = figure.axes
    assert not axes.texts
    assert (axes.images[0].get_array() == confusion.row_shares(matrix)).all()
    assert scale.get_yticklabels()[-1].get_text() == "100%"


def test_the_same_matrix_gives_the_same_bytes() -> None:
    for count in (3, 40):
        matrix = np.eye(count, dtype=int)
        names = [f"class {number}" for number in range(count)]
        assert confusion.counts_figure(matrix, names) == confusion.counts_figure(matrix, names)
