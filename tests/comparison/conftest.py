"""A workspace with a real store and some runs in it."""

from pathlib import Path

import pytest

from tests.comparison import recording


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    recording.make_store(path)
    return path


@pytest.fixture
def tracked(workspace: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace whose store has no run yet."""
    recording.as_new_process(monkeypatch, empty_store, workspace)
    return workspace
