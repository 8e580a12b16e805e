"""Runs and experiments joined, what differs between them, and finding one."""

import numpy as np
import pytest

from pipeline.errors import PipelineError
from tools.comparison.together import differing, shown
from tools.runs.experiments import Experiment
from tools.runs.run import Outcome, Results, Run, setting
from tools.runs.together import find, join, same_setting


def made(name: str, started: float = 1, right=(1, 0), experiments=(), **parameters: str) -> Run:
    outcome = Outcome(np.array(right, dtype=bool), "rows")
    metrics = {"test_accuracy": float(np.mean(right))}
    return Run(
        f"id {name}",
        name,
        "MLflow",
        "FINISHED",
        started,
        parameters,
        metrics,
        Results(outcome=outcome),
        list(experiments),
        data_digest="d",
    )


def experiment(name: str) -> Experiment:
    return Experiment(name, f"commit of {name}", "baseline", 5)


def never(experiment: Experiment) -> Run:
    raise AssertionError("it has a run")


def test_an_experiment_belongs_to_its_newest_run():
    old, new = made("x", 1, experiments=["x"]), made("x", 2, experiments=["x"])
    joined = join([new, old], [experiment("x")], never)
    assert [run.commit for run in joined] == ["commit of x", ""]


def test_one_that_dvc_restored_joins_the_run_with_its_result():
    run = made("x", experiments=["x"], epochs="2")
    twin = made("restored", experiments=["restored"], epochs="2")
    (joined,) = join([run], [experiment("restored")], lambda _: twin)
    assert joined.experiments == ["x", "restored"]


@pytest.mark.parametrize(
    "other", [made("y", 9, epochs="3"), made("y", 9, right=(0, 1), epochs="2")]
)
def test_one_without_a_run_stands_for_itself(other):
    run = made("x", epochs="2")
    assert join([run], [experiment("y")], lambda _: other) == [other, run]


def test_what_differs_comes_in_the_order_of_params_yaml():
    runs = [
        made("a", seed="1", dropout="0.2", model="tiny_cnn", own="x"),
        made("b", seed="2", dropout="0.8", model="tiny_cnn", own="x"),
        made("c"),
    ]
    assert differing(runs) == (["dropout", "seed"], {"model": "tiny_cnn", "own": "x"})
    runs.append(made("d", seed="1", dropout="0.2", own="x"))
    assert differing(runs)[0] == ["model", "dropout", "seed"]
    assert differing([made("c")]) == ([], {})


def test_no_folder_of_the_machine_is_shown():
    assert shown("/home/someone/photos.zip") == "photos.zip"
    assert shown(r"C:\Users\someone\photos") == "photos"
    assert shown("[0.1, 0.8]") == "[0.1, 0.8]"
    assert shown("null") == shown("[]") == "–"


def test_seeds_of_a_setting_count_once_each():
    runs = [
        made("again", 3, (1, 1), seed="1", epochs="2"),
        made("one", 2, (1, 0), seed="1", epochs="2"),
        made("two", 1, (0, 0), seed="2", epochs="2"),
        made("other", 1, seed="1", epochs="3"),
    ]
    assert [run.name for run in same_setting(runs[1], runs)] == ["again", "two"]
    assert setting(runs[0]) == setting(runs[2]) != setting(runs[3])


def test_a_run_is_found_by_any_of_its_names():
    runs = [made("new", 2, experiments=["exp"]), made("old")]
    for name in ("new", "exp", "id new"):
        assert find(name, runs) is runs[0]
    with pytest.raises(PipelineError, match=r"^odl: no such run; did you mean old\?$"):
        find("odl", runs)
