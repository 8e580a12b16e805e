"""The stages with JAX and PyTorch in TensorFlow's place: KERAS_BACKEND, or `backend`, chooses.

A backend that is not installed is skipped, with what installs it. The data are
digits, or a few bars, and no training is longer than four short epochs.
"""

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline import backend
from pipeline.errors import PipelineError
from pipeline.runtime import files, paths
from pipeline.runtime.arrays import save_arrays
from tests import forking
from tests.pipeline.pretrained.support import random_arrays
from tests.support import recorded_runs, refusal, run_stage, set_parameters, write_prepared

pytestmark = pytest.mark.usefixtures("store")

MODEL = paths.MODEL / "model.keras"
HISTORY = paths.REPORTS / "history.csv"
OTHERS = ("jax", "torch")

# Runs the stage `train` and dies, as if killed, when two epochs are safe on disk.
KILLED = """
import os, signal
from stages import train
from pipeline.training import checkpoint
save = checkpoint.save
def save_and_die(path, model, progress):
    save(path, model, progress)
    if len(progress.history) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
checkpoint.save = save_and_die
train.main()
"""
# Prints how many threads the backend computes with, of the three that it is given.
THREADS = """
from pipeline import backend
backend.configure(0, 3, True, "float32")
import os, keras
large = keras.ops.ones((512, 512))
keras.ops.convert_to_numpy(keras.ops.matmul(large, large))
if keras.backend.backend() == "torch":
    import torch
    print(torch.get_num_threads())
else:
    names = [open(f"/proc/self/task/{task}/comm").read() for task in os.listdir("/proc/self/task")]
    print(sum(name.startswith("tf_XLAEigen") for name in names))
"""


@pytest.fixture(params=OTHERS)
def other(request: pytest.FixtureRequest) -> str:
    """A backend that is installed."""
    if importlib.util.find_spec(request.param) is None:
        installs = {"jax": "make dev", "torch": "make setup EXTRA=torch (3 GB)"}
        pytest.skip(f"{request.param} is not installed: {installs[request.param]}")
    return str(request.param)


def run(name: str, keras_backend: str) -> str:
    """Run a stage to its end and return what it printed."""
    result = run_stage(name, KERAS_BACKEND=keras_backend)
    assert result.returncode == 0, result.stderr
    return result.stdout


def run_afresh(name: str, keras_backend: str) -> None:
    """The same in an interpreter that has imported nothing."""
    environment = {**os.environ, "KERAS_BACKEND": keras_backend}
    command = [sys.executable, "-m", f"stages.{name}"]
    result = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=500)
    assert result.returncode == 0, result.stderr
    assert "oneDNN" not in result.stderr  # what TensorFlow says when it is imported unasked


def program(text: str, keras_backend: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "KERAS_BACKEND": keras_backend}
    return forking.run(code=text, environment=environment)


def ready(size: int = 8, **changes: Any) -> None:
    """A workspace in which `train` can run, with a network that has dropout in it."""
    small = {"model": "two_block_cnn", "epochs": 4, "batch_size": 16, "threads": 2}
    set_parameters(**small | changes)
    assert run_stage("params").returncode == 0
    write_prepared(size=size)


def probabilities() -> np.ndarray:
    table = pd.read_csv(paths.REPORTS / "predictions.csv")
    return table.filter(regex="^p_").to_numpy()


def compile_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let XLA leave its optimizations out: with a small network they take most of the time. Bytes
    are compared with others of the same setting."""
    monkeypatch.setenv("XLA_FLAGS", "--xla_backend_optimization_level=0")


def test_every_stage_runs_on_digits(
    workspace: Path, other: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The parameter chooses the backend, and the variable has no say then."""
    compile_quickly(monkeypatch)
    set_parameters(dataset="digits", model="tiny_cnn", epochs=2, batch_size=None, threads=1)
    set_parameters(backend=other)
    for name in ("params", "download", "prepare", "weights", "features"):
        run(name, "tensorflow")
    for name in ("train", "evaluate"):
        run_afresh(name, "tensorflow")
    assert pd.read_csv(HISTORY).val_loss.is_monotonic_decreasing
    assert files.read_json(paths.REPORTS / "metrics.json")["accuracy"] > 0.5  # chance is 0.1
    with np.load(paths.EXPLANATIONS / "grad_cam.npz") as arrays:
        maps = arrays["maps"]
    assert maps.shape[1:] == (8, 8)
    assert (maps.min(), maps.max()) == (0, 1)
    recorded = recorded_runs(workspace).iloc[0]
    assert (recorded["tags.backend"], recorded["params.backend"]) == (other, other)
    assert recorded[f"tags.{other}"][0].isdigit()
    logged = next((workspace / "mlartifacts").rglob("MLmodel")).read_text()
    assert f"keras_backend: {other}" in logged


def check_predictions(other: str) -> None:
    """The model of data/model predicts with TensorFlow what it does with the other one."""
    run("evaluate", other)
    ours = probabilities()
    run("evaluate", "tensorflow")
    assert np.ptp(ours[:, 0]) > 0.01  # it tells the images apart
    np.testing.assert_allclose(probabilities(), ours, rtol=0, atol=1e-5)


def test_a_killed_run_ends_with_the_same_bytes(
    workspace: Path, other: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variable alone chooses it. The network has dropout in it."""
    keep_compiled(workspace, monkeypatch)
    compile_quickly(monkeypatch)
    options = {"augmentation": True, "best_weights": True, "learning_rate_schedule": "cosine"}
    ready(epochs=3, **options)
    run("train", other)
    whole = files.sha256(MODEL, HISTORY)
    MODEL.unlink()
    assert recorded_runs(workspace).iloc[0]["tags.backend"] == other

    killed = program(KILLED, other)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert not MODEL.exists()
    out = run("train", other)
    assert "resuming after epoch 2" in out
    assert "Epoch 2/3" not in out
    assert files.sha256(MODEL, HISTORY) == whole
    check_predictions(other)


def test_fast_cnn_predicts_the_same_with_tensorflow(other: str) -> None:
    """Trained with the layers, the optimizer and the start of this project's own."""
    ready(12, model="fast_cnn", epochs=1)
    run("train", other)
    check_predictions(other)


def keep_compiled(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let JAX compile what several processes of a test run once: it takes most of their time."""
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(workspace / "compiled"))
    monkeypatch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")


def test_a_frozen_base_and_its_fine_tuning(workspace: Path, other: str) -> None:
    """Bars of 32×32 for VGG16 with weights of one's own: TensorFlow's maps in float32, and
    trained and scored in mixed bfloat16."""
    weights = workspace / "mine.npz"
    save_arrays(weights, random_arrays(3))
    changes: dict[str, Any] = {
        **{"model": "vgg16", "image_size": 32, "pretrained_weights": str(weights)},
        **{"fine_tune_from": "block5_conv3", "fine_tune_epochs": 1, "epochs": 1},
    }
    ready(**changes)
    write_prepared(classes=2, size=32, channels=3, counts=(24, 8, 8))
    shutil.rmtree(paths.FEATURES)
    run("weights", other)
    found = []
    for each in (other, "tensorflow"):
        run("features", each)
        found.append(np.load(paths.FEATURES / "train_maps.npy"))
    assert found[1].shape == (24, 1, 1, 512)
    assert np.linalg.norm(found[0] - found[1]) < 1e-5 * np.linalg.norm(found[1])

    set_parameters(dtype="mixed_bfloat16")
    for name in ("params", "features", "train", "evaluate"):
        run(name, other)
    assert pd.read_csv(HISTORY).phase.tolist() == ["head", "fine_tune"]
    assert np.isfinite(probabilities()).all()
    maps = np.load(paths.FEATURES / "train_maps.npy")
    assert not (maps.view("uint32") & 0xFFFF).any()  # every value is one of bfloat16
    shutil.rmtree(workspace / "data")  # 200 MB that nobody looks at
    weights.unlink()


@pytest.mark.skipif(sys.platform != "linux", reason="reads the threads' names in /proc")
def test_it_has_the_threads_that_it_is_given(other: str) -> None:
    result = program(THREADS, other)
    assert result.stdout == "3\n", result.stderr


def test_tensorflow_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    assert backend.chosen() == "tensorflow"
    monkeypatch.setenv("KERAS_BACKEND", "")
    assert backend.chosen() == "tensorflow"


def test_the_parameter_goes_before_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    backend.choose("tensorflow")
    assert os.environ["KERAS_BACKEND"] == "tensorflow"
    assert backend.chosen() == "tensorflow"  # as a process that this one starts finds it


def test_a_change_of_it_runs_what_computes_and_nothing_else(workspace: Path) -> None:
    def parts() -> dict[str, bytes]:
        assert run_stage("params").returncode == 0
        return {path.stem: path.read_bytes() for path in paths.PARAMS.iterdir()}

    before = parts()
    set_parameters(backend="tensorflow")
    after = parts()
    assert {name for name in before if before[name] != after[name]} == {
        *("train", "evaluate", "report")
    }
    set_parameters(backend=None, model="vgg16", image_size=48)
    before = parts()
    set_parameters(backend="tensorflow")
    assert parts()["features"] != before["features"]


@pytest.mark.parametrize("name", OTHERS)
def test_a_parameter_that_is_not_installed_is_refused_before_all_else(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    set_parameters(backend=name)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert refusal("params") == f"backend: {name} is not installed; run `make setup EXTRA={name}`"


@pytest.mark.parametrize("name", OTHERS)
def test_one_that_is_not_installed_is_one_line(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("KERAS_BACKEND", name)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(PipelineError) as raised:
        backend.chosen()
    assert str(raised.value) == (
        f"KERAS_BACKEND: {name} is not installed; run `make setup EXTRA={name}`"
    )


def test_an_unknown_one_is_one_line() -> None:
    ready()
    result = run_stage("train", KERAS_BACKEND="pytorch")
    assert result.returncode == 1
    assert result.stderr == "train: KERAS_BACKEND: pytorch: unknown; did you mean torch?\n"
