"""Learning rates at the steps where their shape shows."""

import pytest

from pipeline.training.schedules import Schedule, learning_rate


def at(schedule, *steps):
    return [float(schedule(step)) for step in steps]


def test_constant_is_a_plain_number():
    assert learning_rate(0.1, "constant", 10, 3, 0) == 0.1


def test_cosine_goes_down_to_zero():
    assert at(Schedule(1.0, "cosine", 100), 0, 50, 100, 200) == pytest.approx(
        [1, 0.5, 0, 0], abs=1e-6
    )


def test_linear_goes_down_to_zero():
    assert at(Schedule(2.0, "linear", 100), 0, 25, 100, 150) == pytest.approx([2, 1.5, 0, 0])


def test_one_cycle_rises_for_a_quarter():
    schedule = Schedule(2.0, "one_cycle", 100)
    assert at(schedule, 0, 25, 62.5, 100) == pytest.approx([0, 2, 1, 0], abs=1e-6)


def test_warm_up_is_linear_and_comes_first():
    schedule = learning_rate(1.0, "cosine", 10, 11, 1)
    assert at(schedule, 0, 4, 9, 10, 60, 110) == pytest.approx([0.1, 0.5, 1, 1, 0.5, 0], abs=1e-6)
    constant = learning_rate(1.0, "constant", 10, 10, 0.5)
    assert at(constant, 0, 4, 50) == pytest.approx([0.2, 1, 1])
