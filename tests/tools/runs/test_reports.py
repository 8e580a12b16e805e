"""The reports of a run, whole and damaged."""

import numpy as np
import pytest

from pipeline.runtime import paths
from tests.tools.comparison.recording import CLASSES, outcome, write_reports
from tools.runs.reports import read_results
from tools.runs.run import Results, Run


def read() -> Results:
    return read_results(lambda name: (paths.REPORTS / name).open(encoding="utf-8", newline=""))


def test_what_the_pipeline_writes_is_read(workspace):
    right = outcome(0.7, 1)
    write_reports(right)
    found = read()
    assert found.problems == []
    assert found.history["val_accuracy"] == [0.4, 0.5, 0.6000000000000001]
    assert found.classes == CLASSES
    assert found.confusion.sum() == len(right)
    assert np.trace(found.confusion) == right.sum()
    np.testing.assert_array_equal(found.outcome.right, right)


def test_the_test_part_is_known_by_its_rows(workspace):
    write_reports(outcome(0.7, 1))
    first = read().outcome
    write_reports(outcome(0.5, 2))
    assert read().outcome.images == first.images
    write_reports(outcome(0.5, 2), name="x.jpg")
    assert read().outcome.images != first.images


def test_nothing_there_is_nothing_known(workspace):
    assert read() == Results()


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("history.csv", "epoch,loss\n1,much\n", "could not convert string to float: 'much'"),
        ("history.csv", "epoch,loss\n", "no epochs"),
        ("history.csv", "epoch,loss\n1\n", "float() argument must be a string"),
        ("confusion.csv", "label,a,b\na,1,2\n", "2 classes, a table of 1×2"),
        ("predictions.csv", "a,b\n", "other columns than index, name, label, prediction …"),
        ("predictions.csv", "index,name,label,prediction\n", "no images"),
        ("predictions.csv", "", "an empty file)"),
    ],
)
def test_a_damaged_report_is_named_and_the_rest_is_read(workspace, name, text, says):
    write_reports(outcome(0.7, 1))
    (paths.REPORTS / name).write_text(text)
    found = read()
    (problem,) = found.problems
    assert problem.startswith(f"{name}: damaged ({says}")
    left = [bool(found.history), found.confusion is not None, found.outcome is not None]
    assert sum(left) == 2


def test_bytes_that_are_no_text(workspace):
    write_reports(outcome(0.7, 1))
    (paths.REPORTS / "history.csv").write_bytes(b"\xff\xfe\x00")
    (problem,) = read().problems
    assert problem.startswith("history.csv: damaged (")


def run(history: dict[str, list[float]], best_weights: str = "false") -> Run:
    parameters = {"best_weights": best_weights}
    return Run("1", "a", "MLflow", "FINISHED", 0, parameters, {}, Results(history=history))


def test_the_validation_accuracy_is_of_the_weights_that_were_kept():
    history = {"val_accuracy": [0.7, 0.9, 0.8], "val_loss": [0.5, 0.3, 0.4]}
    assert run(history).validation_accuracy == 0.8
    assert run(history, "true").validation_accuracy == 0.9
    # With two phases, of the last one: the first's epochs were another model.
    history["phase_number"] = [0, 0, 1]
    assert run(history, "true").validation_accuracy == 0.8
    assert run({"loss": [1.0]}).validation_accuracy is None
    assert run({"loss": [1.0], "accuracy": [0.5]}).gap is None
    with_train = {**history, "accuracy": [0.75, 0.875, 1.0], "phase_number": [0, 0, 0]}
    assert run(with_train).gap == pytest.approx(0.2)
    assert run(with_train, "true").gap == pytest.approx(-0.025)
    assert run({}).validation_accuracy is None
