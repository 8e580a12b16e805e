"""Mean, spread and interval over seeds and folds, and which runs are repeats of one setting."""

import numpy as np
import pytest

from tools.runs.run import Outcome, Results, Run, setting
from tools.runs.spread import spread
from tools.runs.together import same_setting


def made(seed: int, fold: int | None, images: str = "test", **changes: str) -> Run:
    parameters = {"seed": str(seed), "folds": "null", "fold": "0", **changes}
    if fold is not None:
        parameters |= {"folds": "5", "fold": str(fold)}
    results = Results(outcome=Outcome(np.array([True]), images))
    digest = f"data of fold {fold}"
    metrics = {"test_accuracy": 0.9}
    return Run(f"{seed}-{fold}", "r", "DVC", "FINISHED", 0, parameters, metrics, results,
               data_digest=digest)  # fmt: skip


def test_the_interval_is_students_and_wider_over_folds() -> None:
    values = (0.90, 0.92, 0.94, 0.91, 0.93)
    low, high = spread(values).interval or (0, 0)
    # t of 4 degrees of freedom is 2.776; s is 0.015811, of the mean 0.007071.
    assert (low, high) == pytest.approx((0.92 - 0.01963, 0.92 + 0.01963), abs=1e-5)
    low, high = spread(values, folds=5).interval or (0, 0)
    assert high - 0.92 == pytest.approx(0.01963 * 1.5, abs=1e-5)  # √(1/5 + 1/4) to √(1/5)
    assert spread(values).interval_words() == "0.9004 to 0.9396"
    assert spread([0.9]).interval is None
    assert spread([0.9]).interval_words() == "–"
    assert spread([0.2, 1.0]).interval == (0, 1)


def test_folds_and_seeds_are_repeats_of_a_setting_on_the_same_test_images() -> None:
    runs = [made(seed, fold) for seed in (1, 2) for fold in range(5)]
    assert len({setting(run) for run in runs}) == 1
    assert len(same_setting(runs[3], runs)) == 10
    others = [made(1, 0, images="other"), made(1, 0, dropout="0.5"), made(1, None)]
    assert not {setting(run) for run in others} & {setting(runs[0])}
    assert setting(made(1, None)) == setting(made(2, None))
