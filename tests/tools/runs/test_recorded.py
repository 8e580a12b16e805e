"""Reading a real store of MLflow: finished, failed and unfinished runs, damage, no store."""

import shutil

import numpy as np
import pytest

from pipeline.tracking import start_run
from pipeline.tracking.sqlite import StoreError
from tests.tools.comparison.recording import outcome, record
from tools.runs import recorded


def test_a_finished_run_has_everything(tracked, monkeypatch):
    monkeypatch.setenv("DVC_EXP_NAME", "first")
    right = outcome(0.7, 1)
    run_id = record(right, dropout=[0.1, 0.8])
    (run,) = recorded.read_runs(recorded.open_store())
    assert (run.id, run.name, run.status, run.experiments) == (
        run_id,
        "first",
        "FINISHED",
        ["first"],
    )
    assert run.parameters["dropout"] == "[0.1, 0.8]"
    assert run.metrics == {"test_accuracy": 0.7, "test_loss": 0.5, "train_seconds": 2}
    assert run.validation_accuracy == pytest.approx(0.6)
    assert run.data_digest == "sha256:one"
    np.testing.assert_array_equal(run.results.outcome.right, right)


def test_a_failed_run_says_why_and_shows_its_epochs(tracked):
    record(None, epochs=2)
    (run,) = recorded.read_runs(recorded.open_store())
    assert run.status == "FAILED"
    assert run.failure == "train: no room on the disk"
    assert run.results.history["epoch"] == [1, 2]
    assert run.results.history["val_accuracy"] == pytest.approx([0.4, 0.5])
    assert run.results.outcome is None


def test_a_run_before_its_first_epoch(tracked):
    start_run({"model": "tiny_cnn"}, {})
    (run,) = recorded.read_runs(recorded.open_store())
    assert (run.status, run.results.history, run.kept_epoch) == ("RUNNING", {}, None)


def test_artifacts_that_are_gone_or_damaged(tracked):
    record(outcome(0.7, 1))
    (path,) = (tracked / "mlartifacts").rglob("predictions.csv")
    path.write_text("no\n")
    (run,) = recorded.read_runs(recorded.open_store())
    assert run.results.problems[0].startswith("predictions.csv: damaged (")
    assert run.results.confusion is not None
    shutil.rmtree(tracked / "mlartifacts")
    (run,) = recorded.read_runs(recorded.open_store())
    assert run.results.outcome is None
    assert len(run.results.history["epoch"]) == 3  # MLflow has the epochs too


def test_only_what_is_asked_for_is_read(tracked):
    record(outcome(0.7, 1))
    (run,) = recorded.read_runs(recorded.open_store(), reports=("history.csv",))
    assert run.results.outcome is None
    assert run.validation_accuracy == pytest.approx(0.6)


def test_reading_makes_no_store(workspace):
    with pytest.raises(StoreError, match="there is no run yet; `make repro` makes the first"):
        recorded.open_store()
    assert not (workspace / "mlflow.db").exists()


def test_the_newest_comes_first(tracked):
    ids = [record(None), record(None), record(None)]
    assert [run.id for run in recorded.read_runs(recorded.open_store())] == ids[::-1]
