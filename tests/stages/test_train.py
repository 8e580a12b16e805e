"""The stage `train` as a process: its outs, its record, and what a kill costs."""

import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.parameters.stages import code_of_all
from pipeline.runtime import files, paths
from tests import forking
from tests.support import recorded_runs, run_stage, set_parameters, write_prepared

pytestmark = pytest.mark.usefixtures("store")

MODEL = paths.MODEL / "model.keras"
# The stage, which sends itself a signal when it has written a row of its history.
STOPPED = """
import os, runpy, sys
from pipeline.training import history
write = history.write_history
row, number = map(int, sys.argv[1:])
def write_and_stop(path, rows):
    write(path, rows)
    if len(rows) == row:
        os.kill(os.getpid(), number)
history.write_history = write_and_stop
sys.argv = ["stages.train"]
runpy.run_module("stages.train", run_name="__main__", alter_sys=True)
"""


def ready(**changes: Any) -> None:
    """A workspace in which `train` can run: resolved parameters and a prepared data set."""
    set_parameters(**{"epochs": 3, "batch_size": 16, "threads": 1} | changes)
    assert run_stage("params").returncode == 0
    write_prepared()


def train(**environment: str) -> str:
    """Run the stage to its end and return what it printed."""
    result = run_stage("train", **environment)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_it_learns_saves_and_records(workspace):
    ready(epochs=8, dropout=[0.0, 0.2])
    train()
    history = pd.read_csv(paths.REPORTS / "history.csv")
    assert list(history) == [
        "epoch",
        "accuracy",
        "loss",
        "val_accuracy",
        "val_loss",
        "learning_rate",
    ]
    assert history.epoch.tolist() == [1, 2, 3, 4, 5, 6, 7, 8]
    assert history.val_accuracy.iloc[-1] > 0.8  # a bar's row tells the class; chance is 1/3
    from pipeline.networks import saving

    model = saving.load_model(MODEL)
    probabilities = model.predict(np.load(paths.PREPARED / "test_images.npy"), verbose=0)
    assert probabilities.shape == (30, 3)
    recorded = recorded_runs(workspace)
    assert recorded.status.tolist() == ["FINISHED"]
    run = recorded.iloc[0]
    assert run["params.dropout"] == "[0.0, 0.2]"
    assert run["params.batch_size"] == "16"
    assert run["metrics.val_loss"] == pytest.approx(history.val_loss.iloc[-1])
    assert run["tags.model_digest"] == files.sha256(MODEL)
    assert run["tags.data_digest"].startswith("sha256:3-8-1")
    assert run["tags.code_digest"] == code_of_all()
    assert "params.code" not in run  # a digest is no parameter
    assert run["tags.cpu_flags"]
    assert not list((workspace / ".state" / "resume").iterdir())


def test_the_same_parameters_give_the_same_bytes_and_others_do_not(workspace):
    digests = []
    for seed in (1, 1, 2):
        ready(epochs=2, seed=seed, augmentation=True, learning_rate_schedule="one_cycle")
        train()
        history = paths.REPORTS / "history.csv"
        outs = (MODEL, history, paths.MODEL / "reference.npz", paths.FIRST_BATCH)
        digests.append(tuple(map(files.sha256, outs)))
    assert digests[0] == digests[1]
    assert digests[0][0] != digests[2][0]
    recorded = recorded_runs(workspace)
    assert recorded.status.tolist() == ["FINISHED"] * 3  # the same again is another run
    assert recorded.run_id.nunique() == 3
    for place in recorded.artifact_uri:
        assert (Path(place.removeprefix("file://")) / "first_batch.png").stat().st_size > 1000


def test_fast_cnn_is_trained_by_one_view_and_saved_with_six():
    ready(model="fast_cnn", epochs=2, batch_size=20)
    write_prepared(size=12, channels=3)
    out = train()
    assert "Epoch 2/2" in out
    from pipeline.networks import saving
    from pipeline.networks.building import single_view

    model = saving.load_model(MODEL)
    kernel = np.asarray(model.get_layer("whitening").kernel)
    assert kernel[..., :12].tolist() == (-kernel[..., 12:]).tolist()  # fitted, not trained
    images = np.load(paths.PREPARED / "test_images.npy")
    one, six = (m.predict(images, verbose=0) for m in (single_view(model), model))
    assert one.shape == six.shape == (30, 3)
    assert abs(one - six).max() > 1e-4
    assert run_stage("evaluate").returncode == 0
    predictions = pd.read_csv(paths.REPORTS / "predictions.csv")
    np.testing.assert_allclose(predictions[[f"p_class {i}" for i in range(3)]], six, atol=1e-5)


def test_two_classes_have_one_sigmoid_unit_and_no_validation_no_curve():
    ready(epochs=6, class_weights=True, dropout=[0, 0], validation_fraction=0)
    write_prepared(classes=2, counts=(60, 0, 30))
    train()
    assert not (paths.MODEL / "reference.npz").exists()
    assert "val_loss" not in pd.read_csv(paths.REPORTS / "history.csv")
    from pipeline.networks import saving

    model = saving.load_model(MODEL)
    found = model.predict(np.load(paths.PREPARED / "test_images.npy"), verbose=0)
    assert found.shape == (30, 1)
    labels = np.load(paths.PREPARED / "test_labels.npy")[:, 1]
    assert ((found[:, 0] > 0.5) == labels).mean() > 0.8


@pytest.mark.parametrize("classes", [2, 3])
def test_a_temperature_is_the_saved_model_s_last_layer(classes):
    from pipeline.evaluation.calibration import at_temperature
    from pipeline.evaluation.reference import Reference, beside
    from pipeline.networks import saving

    found = {}
    images = None
    for calibration in ("none", "temperature"):
        ready(epochs=2, calibration=calibration)
        write_prepared(classes=classes)
        images = np.load(paths.PREPARED / "test_images.npy")
        train()
        said = saving.load_model(MODEL).predict(images, verbose=0)
        found[calibration] = np.hstack([1 - said, said]) if classes == 2 else said
        reference = Reference.load(beside(MODEL))
        assert reference.applied == (calibration == "temperature")
    assert reference.temperature != 1
    expected = at_temperature(found["none"], reference.temperature)
    np.testing.assert_allclose(found["temperature"], expected, atol=1e-4)
    assert run_stage("evaluate").returncode == 0
    trust = files.read_json(paths.EXPLANATIONS / "trust.json")["calibration"]
    labels = np.load(paths.PREPARED / "test_labels.npy").argmax(axis=1)
    for name, of in (("before", "none"), ("after", "temperature")):
        loss = -np.log(found[of][np.arange(30), labels]).mean()
        assert trust[name]["loss"] == pytest.approx(loss, rel=0.02)


def test_a_temperature_without_a_validation_part_is_one_line():
    ready(calibration="temperature")
    write_prepared(counts=(60, 0, 30))
    result = run_stage("train")
    assert result.returncode == 1
    assert result.stderr == (
        "train: calibration: temperature is fitted on a validation part, and there is none; "
        "set validation_fraction above 0, or calibration to none\n"
    )


def test_what_twins_leave_out_is_not_trained_on():
    """As if the images were not there: the same bytes as with them gone from the data."""
    from pipeline.datasets.dropped import DROPPED_FILE

    ready(augmentation="translate", class_weights=True)
    files.write_json(DROPPED_FILE, [3, 59])
    train()
    without = files.sha256(MODEL, paths.REPORTS / "history.csv")
    DROPPED_FILE.unlink()
    train()
    assert files.sha256(MODEL, paths.REPORTS / "history.csv") != without
    for kind in ("images", "labels"):
        path = paths.PREPARED / f"train_{kind}.npy"
        np.save(path, np.delete(np.load(path), [3, 59], axis=0))
    train()
    assert files.sha256(MODEL, paths.REPORTS / "history.csv") == without


def start_and_kill(after_epochs: int, how: int = signal.SIGKILL) -> forking.Program:
    """Start the stage and kill it as soon as its history has so many epochs."""
    history = paths.REPORTS / "history.csv"
    history.unlink(missing_ok=True)  # as DVC does before it starts a stage
    process = forking.start("stages.train")
    deadline = time.monotonic() + 500
    while time.monotonic() < deadline and process.poll() is None:
        if history.exists() and len(history.read_text().splitlines()) > after_epochs:
            break
        time.sleep(0.02)
    process.send_signal(how)
    process.wait(500)
    return process


def stopped(row: int, how: int) -> forking.Program:
    """Run the stage until its history has this row, when it sends itself the signal."""
    (paths.REPORTS / "history.csv").unlink(missing_ok=True)
    program = forking.start(str(row), str(how), code=STOPPED)
    program.wait()
    return program


def test_a_stopped_run_costs_an_epoch_and_ends_with_the_same_bytes(workspace):
    """Killed (-9) after epoch 2, interrupted after 4, and killed after 6, the last."""
    ready(epochs=6, early_stopping=5, best_weights=True)
    train()
    whole = files.sha256(MODEL, paths.REPORTS / "history.csv")
    MODEL.unlink()

    assert stopped(2, signal.SIGKILL).returncode == -signal.SIGKILL
    interrupted = stopped(4, signal.SIGINT)
    out, errors = interrupted.communicate()
    assert interrupted.returncode == 130, errors
    check_resumed(out, after=2)
    assert not MODEL.exists()
    assert len((paths.REPORTS / "history.csv").read_text().splitlines()) == 1 + 4

    last = stopped(6, signal.SIGKILL)
    check_resumed(last.communicate()[0], after=4)
    (paths.REPORTS / "history.csv").unlink()  # as DVC does before it starts a stage
    out = train()
    assert "resuming after epoch 6" in out
    assert "Epoch" not in out
    assert files.sha256(MODEL, paths.REPORTS / "history.csv") == whole
    recorded = recorded_runs(workspace)
    assert recorded.status.tolist() == ["FINISHED", "FINISHED"]  # the whole one and the stopped one
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{workspace}/mlflow.db")
    for run_id in recorded.run_id:  # those epochs too whose rows a stop kept from MLflow
        points = client.get_metric_history(run_id, "val_loss")
        assert sorted(point.step for point in points) == [1, 2, 3, 4, 5, 6]
    assert not list((workspace / ".state" / "resume").iterdir())


def check_resumed(out: str, after: int) -> None:
    """What was trained is not trained again."""
    assert f"resuming after epoch {after}, from a run that was stopped" in out
    assert f"Epoch {after + 1}/6" in out
    assert f"Epoch {after}/6" not in out


def test_other_parameters_and_other_data_do_not_resume_a_killed_run(workspace):
    """Nor is a stopped run left RUNNING by the next start."""
    ready(epochs=1000)
    start_and_kill(after_epochs=2)
    assert recorded_runs(workspace).status.tolist() == ["RUNNING"]
    ready(epochs=1, seed=7)
    assert "resuming" not in train()
    assert sorted(recorded_runs(workspace).status) == ["FAILED", "FINISHED"]
    ready(epochs=1000)
    write_prepared(seed=3)
    assert start_and_kill(after_epochs=1, how=signal.SIGTERM).returncode == 143
    assert len(list(paths.state().glob("resume/train-*"))) == 2
    # A terminated one says so itself, unless the signal comes while MLflow writes.
    ready(epochs=1, seed=8)
    train()
    assert sorted(recorded_runs(workspace).status) == ["FAILED", "FAILED", "FINISHED", "FINISHED"]


def test_a_full_disk_is_one_line_and_training_goes_on_afterwards():
    ready(epochs=2)
    code = (
        "import resource, runpy; resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000)); "
        "runpy.run_module('stages.train', run_name='__main__')"
    )
    environment = {**os.environ, "MLFLOW_TRACKING_URI": "http://127.0.0.1:9"}
    result = forking.run(code=code, environment=environment)
    assert result.returncode == 1
    assert result.stderr.strip().splitlines()[-1].startswith("train: no room on the disk")
    assert not MODEL.exists()
    # An MLflow that is out of reach costs a line, and no training.
    out = train(MLFLOW_TRACKING_URI="http://127.0.0.1:9")
    assert MODEL.exists()
    assert len([line for line in out.splitlines() if line.startswith("mlflow: ")]) == 1
