"""Fixtures of many tests: a workspace of their own, and the folder of real data."""

import os
import shutil
import signal
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support import REPOSITORY

SHARED_DATA = "IMAGE_PIPELINE_TEST_DATA"

# A suite that a shell started in the background ignores Ctrl-C, and so would
# the stages that it starts and interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)
# TensorFlow's own lines are no output of the pipeline's; stages silence them too.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# On a busy machine any example may take longer than the 200 ms that Hypothesis allows.
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")


# The files that take longest come first, so that no process is left with one at the end.
LONGEST = (
    "test_pipeline.py",
    "test_backends.py",
    "test_bench.py",
    "test_train.py",
    "test_readme_experiments.py",
    "test_fitting.py",
    "test_setup.py",
    "test_what_runs_again.py",
    "test_crashes.py",
    "test_report.py",
    "test_published.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What is meant to be slow may take an hour, on a machine that does other things too."""
    items.sort(key=lambda item: (*LONGEST, item.path.name).index(item.path.name))
    for item in items:
        if item.get_closest_marker("slow") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(3600))


@pytest.fixture(autouse=True)
def own_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow puts the code of a model that it loads in front of `sys.path`, for good: another
    test's processes would find the few modules there in place of ours."""
    monkeypatch.setattr(sys, "path", [*sys.path])


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty workspace with the default params.yaml; the current folder and DVC_ROOT are it."""
    folder = tmp_path / "workspace"
    folder.mkdir()
    shutil.copy(REPOSITORY / "params.yaml", folder)
    for name in [name for name in os.environ if name.startswith(("MLFLOW_", "DVC_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("DVC_ROOT", str(folder))
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all the workers of a session."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow's database without a run, made once: to make one takes seconds."""
    from pipeline.tracking import sqlite, store

    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    store.quiet()
    sqlite.make_if_new(path)
    return path


@pytest.fixture
def store(workspace: Path, empty_store: Path) -> Path:
    """A workspace whose store is there and has no run yet."""
    shutil.copy(empty_store, workspace / "mlflow.db")
    return workspace


@pytest.fixture
def shared_data() -> Path:
    """The folder with real data sets; the test is skipped, and says so, where it is not there."""
    folder = os.environ.get(SHARED_DATA)
    if not folder or not Path(folder).is_dir():
        pytest.skip(f"needs real data: set {SHARED_DATA} to the folder that holds them")
    return Path(folder)
