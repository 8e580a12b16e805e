"""Finding the run that trained a model, and marking runs that failed or whose process died."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.runtime import files, paths
from pipeline.tracking import (
    attach_run,
    mark_dead_runs,
    model_digest,
    record_failure,
    runs,
    start_run,
    store,
)

PARAMETERS = {"model": "tiny_cnn", "dataset": "digits"}
TRAINING = """
import os, sys
from pipeline.tracking import start_run
record = start_run({"model": "tiny_cnn", "dataset": "digits"}, {"data_digest": "x"})
record.log_epoch(1, {"loss": 1.0})
print(record.run_id, flush=True)
sys.stdin.readline()
"""


def begin(client, digest: str, experiment: str = "", *, finish: bool = True) -> str:
    """A finished training that made the model `digest`; its run's id."""
    if experiment:
        os.environ["DVC_EXP_NAME"] = experiment
    record = start_run(PARAMETERS, {})
    os.environ.pop("DVC_EXP_NAME", None)
    record.log_tags({"model_digest": digest})
    if finish:
        record.finish()
    time.sleep(0.002)  # runs are ordered by the millisecond of their start
    return record.run_id


def all_runs(client) -> list:
    experiment = client.get_experiment_by_name("image-classification")
    return client.search_runs([experiment.experiment_id], order_by=["attributes.start_time ASC"])


def test_the_newest_run_of_the_model_goes_on(client):
    begin(client, "aaa")
    newest = begin(client, "aaa")
    begin(client, "bbb")
    record = attach_run("aaa")
    assert record.run_id == newest
    assert client.get_run(newest).info.status == "RUNNING"
    record.log_metrics({"test_accuracy": 0.9})
    record.finish()
    run = client.get_run(newest)
    assert (run.info.status, run.data.metrics) == ("FINISHED", {"test_accuracy": 0.9})
    assert run.data.tags["pid"] == str(os.getpid())
    assert len(all_runs(client)) == 3


def test_the_run_of_the_same_experiment_goes_first(client, monkeypatch):
    own = begin(client, "aaa", "fancy-lamb")
    newest = begin(client, "aaa", "other-name")
    monkeypatch.setenv("DVC_EXP_NAME", "fancy-lamb")
    assert attach_run("aaa").run_id == own
    monkeypatch.setenv("DVC_EXP_NAME", "unknown-name")
    assert attach_run("aaa").run_id == newest


def test_no_run_of_the_model(client, capfd):
    begin(client, "bbb")
    record = attach_run("aaa")
    record.log_metrics({"test_accuracy": 0.9})
    record.log_artifact("params.yaml")
    record.finish()
    assert record.run_id is None
    assert capfd.readouterr().out == (
        "mlflow: no run here trained this model; not recorded (`dvc repro -f` trains anew)\n"
    )
    assert len(all_runs(client)) == 1


def test_a_killed_training_is_marked_and_goes_on(client, capfd):
    process = subprocess.Popen(
        [sys.executable, "-c", TRAINING], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    run_id = process.stdout.readline().strip()
    own = start_run(PARAMETERS, {})
    assert mark_dead_runs() == []  # both processes live
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert client.get_run(run_id).info.status == "RUNNING"
    assert mark_dead_runs() == [run_id]
    run = client.get_run(run_id)
    assert run.info.status == "FAILED"
    reason = f"process {process.pid} on {run.data.tags['host']} died without a word"
    assert run.data.tags["failure"].startswith(reason)
    last = client.get_metric_history(run_id, "loss")[-1].timestamp
    assert run.info.end_time == last  # not the time at which it was noticed
    assert client.get_run(own.run_id).info.status == "RUNNING"
    record = start_run(PARAMETERS, {}, resume=run_id)
    record.log_epoch(1, {"loss": 1.0})
    record.log_epoch(2, {"loss": 0.5})
    record.finish()
    run = client.get_run(run_id)
    assert run.info.status == "FINISHED"
    assert "failure" not in run.data.tags
    assert [point.step for point in client.get_metric_history(run_id, "loss")] == [1, 2]
    assert capfd.readouterr() == ("", "")


def test_every_beginning_marks_the_dead(client):
    for kind in ("start", "attach"):
        run_id = begin(client, "aaa", finish=False)
        client.set_tag(run_id, "process_start", "1.0")  # the same id, an older process
        begin(client, "bbb") if kind == "start" else attach_run("bbb")
        assert client.get_run(run_id).info.status == "FAILED"


def test_runs_of_other_machines_are_left_alone(client):
    run_id = begin(client, "aaa", finish=False)
    client.set_tag(run_id, "process_start", "1.0")
    client.set_tag(run_id, "host", "somewhere-else")
    assert mark_dead_runs() == []
    assert client.get_run(run_id).info.status == "RUNNING"


def test_a_failure_marks_the_open_run(client):
    record = start_run(PARAMETERS, {})
    record_failure("train", "ValueError: loss is nan")
    run = client.get_run(record.run_id)
    assert run.info.status == "FAILED"
    assert run.data.tags["failure"] == "ValueError: loss is nan"
    assert run.data.tags["failed_stage"] == "train"
    assert len(all_runs(client)) == 1


def test_a_failure_before_the_training_is_a_run_of_its_own(client, monkeypatch):
    paths.MODEL.mkdir(parents=True)  # of an older run, and still there
    paths.MODEL_FILE.write_bytes(b"model")
    begin(client, model_digest())
    monkeypatch.setattr(runs, "_current", None)
    files.write_json(paths.PARAMS / "report.json", {**PARAMETERS, "epochs": 3})
    monkeypatch.setenv("DVC_EXP_NAME", "fancy-lamb")
    record_failure("prepare", "a.jpg: cannot be read")
    first, failed = all_runs(client)
    assert first.info.status == "FINISHED"
    assert (failed.info.status, failed.info.run_name) == ("FAILED", "fancy-lamb")
    assert failed.data.params["epochs"] == "3"
    assert failed.data.tags["failed_stage"] == "prepare"
    assert failed.data.tags["failure"] == "a.jpg: cannot be read"


def test_a_failure_without_parameters(client):
    record_failure("params", "params.yaml: epoch: unknown parameter; did you mean epochs?")
    (failed,) = all_runs(client)
    assert failed.info.run_name == "before training"
    assert failed.data.params == {}


def test_a_failure_after_the_training_belongs_to_the_models_run(client, monkeypatch):
    paths.MODEL.mkdir(parents=True)
    paths.MODEL_FILE.write_bytes(b"model")
    run_id = begin(client, model_digest())
    monkeypatch.setattr(runs, "_current", None)
    record_failure("evaluate", "explain_image: 99")
    (run,) = all_runs(client)
    assert (run.info.run_id, run.info.status) == (run_id, "FAILED")
    attach_run(model_digest()).finish()
    run = client.get_run(run_id)
    assert run.info.status == "FINISHED"
    assert "failure" not in run.data.tags


@pytest.mark.parametrize("problem", [KeyboardInterrupt, SystemExit, ValueError])
def test_recording_a_failure_never_raises(tracked, monkeypatch, problem):
    def broken() -> None:
        raise problem

    monkeypatch.setattr(store, "connect", broken)
    record_failure("train", "no")


def test_the_digest_is_that_of_the_file(workspace):
    Path("model.keras").write_bytes(b"model")
    assert model_digest(Path("model.keras")) == files.sha256(Path("model.keras"))
