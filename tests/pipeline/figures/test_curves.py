"""The history, its moving average, and the curves drawn of it."""

import numpy as np
import pytest

from pipeline.figures import curves
from pipeline.figures.curves import History


def history(epochs: int, phases: list[str] | None = None, validation: bool = True) -> History:
    loss = 1 / np.arange(1, epochs + 1)
    both = {"loss": loss, "accuracy": 1 - loss / 2}
    held_out = {"loss": loss + 0.1, "accuracy": 0.9 - loss / 2}
    return History(
        phases or ["training"] * epochs,
        both,
        held_out if validation else None,
        np.full(epochs, 0.001),
    )


def test_the_moving_average_begins_with_the_first_value_and_keeps_four_fifths() -> None:
    assert curves.moving_average(np.array([1.0, 0.0, 0.0, 5.0])) == pytest.approx(
        [1.0, 0.8, 0.64, 0.8 * 0.64 + 0.2 * 5]
    )


def test_the_moving_average_passes_over_what_is_no_number() -> None:
    values = np.array([np.nan, 1.0, np.nan, 0.0])
    averaged = curves.moving_average(values)
    assert np.isnan(averaged[0])
    assert averaged[1:] == pytest.approx([1.0, 1.0, 0.8])


def test_the_moving_average_begins_anew_with_a_phase() -> None:
    values = np.array([1.0, 0.0, 10.0, 0.0])
    assert curves.smoothed(values, [3]) == pytest.approx([1.0, 0.8, 10.0, 8.0])


def test_history_is_read_with_and_without_validation_and_phase() -> None:
    row = {"epoch": "1", "accuracy": "0.5", "loss": "2", "learning_rate": "0.1"}
    plain = curves.parse_history([row, row | {"accuracy": ""}])
    assert plain.validation is None
    assert plain.starts() == []
    assert np.isnan(plain.train["accuracy"][1])
    full = [row | {"val_accuracy": "0.4", "val_loss": "3", "phase": p} for p in ("a", "a", "b")]
    read = curves.parse_history(full)
    assert read.validation is not None
    assert read.validation["loss"].tolist() == [3, 3, 3]
    assert read.starts() == [3]


def test_an_empty_history_is_read() -> None:
    assert curves.parse_history([]).epochs == 0


def test_raw_points_and_average_are_drawn_for_both_parts(drawn) -> None:
    given = history(5)
    axes = drawn(curves.curve, given, "loss").axes[0]
    raw_train, train, raw_validation, validation = axes.lines
    assert raw_train.get_ydata() == pytest.approx(given.train["loss"])
    assert train.get_ydata() == pytest.approx(curves.moving_average(given.train["loss"]))
    assert raw_validation.get_ydata() == pytest.approx(given.validation["loss"])
    assert validation.get_ydata() == pytest.approx(curves.moving_average(given.validation["loss"]))
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["train", "validation"]


def test_without_validation_only_training_is_drawn(drawn) -> None:
    axes = drawn(curves.curve, history(4, validation=False), "accuracy").axes[0]
    assert len(axes.lines) == 2
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["train"]


def test_one_epoch_has_one_whole_tick(drawn) -> None:
    axes = drawn(curves.curve, history(1), "accuracy").axes[0]
    left, right = axes.get_xlim()
    assert [tick for tick in axes.get_xticks() if left <= tick <= right] == [1]


def test_a_second_phase_begins_at_a_marked_line(drawn) -> None:
    axes = drawn(curves.curve, history(6, ["head"] * 4 + ["fine_tune"] * 2), "loss").axes[0]
    upright = [line for line in axes.lines if list(line.get_xdata()) == [4.5, 4.5]]
    assert len(upright) == 1
    assert [text.get_text().strip() for text in axes.texts] == ["fine-tuning begins"]


def test_the_learning_rate_is_drawn_only_where_it_changes() -> None:
    given = history(3)
    assert curves.learning_rate(given) is None
    given.learning_rate[2] = 0.0
    assert curves.learning_rate(given).startswith(b"\x89PNG")


@pytest.mark.parametrize("metric", ["loss", "accuracy"])
def test_the_same_history_gives_the_same_bytes(metric: str) -> None:
    assert curves.curve(history(3), metric) == curves.curve(history(3), metric)


def test_another_history_gives_other_bytes() -> None:
    assert curves.curve(history(3), "loss") != curves.curve(history(4), "loss")
