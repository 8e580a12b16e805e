"""A real SQLite store for each test."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.tracking import runs, store


@pytest.fixture
def new_process(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace without a store, and this process as if it had not recorded yet."""
    monkeypatch.setattr(store, "_opened", {})
    monkeypatch.setattr(runs, "_current", None)
    return workspace


@pytest.fixture
def tracked(new_process: Path, empty_store: Path) -> Iterator[Path]:
    """A workspace whose store has no run yet."""
    shutil.copy(empty_store, new_process / "mlflow.db")
    return new_process


@pytest.fixture
def client(tracked: Path) -> Any:
    """MLflow's own client for that store, as another program would use it."""
    store.quiet()
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=f"sqlite:///{tracked / 'mlflow.db'}")
