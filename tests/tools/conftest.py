"""A workspace with a real store."""

from pathlib import Path

import pytest

from tests.tools.comparison.recording import track


@pytest.fixture
def tracked(
    workspace: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """A workspace whose store has no run yet."""
    return track(workspace, tmp_path_factory, monkeypatch)
