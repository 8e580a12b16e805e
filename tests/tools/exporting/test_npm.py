"""The runtime for browsers through npm: what it says when there is none."""

import os
import stat
from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from tools.exporting import npm


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("IMAGE_PIPELINE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "npm"


def client(folder: Path, monkeypatch, script: str) -> None:
    """An npm of our own, in front of any other."""
    folder.mkdir()
    path = folder / "npm"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def test_no_npm(cache, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(PipelineError, match=r"^--to: html: npm is not installed, .* install Node"):
        npm.package()


def test_it_cannot_be_reached(cache, tmp_path, monkeypatch):
    script = "echo npm error code E404 >&2; echo npm error 404 at https://u:p@host/x >&2; exit 1"
    client(tmp_path / "bin", monkeypatch, script)
    with pytest.raises(PipelineError, match=r"npm gave no onnxruntime-web [\d.]+: 404 at …$"):
        npm.package()


def test_another_archive_than_was_tested(cache, tmp_path, monkeypatch):
    client(tmp_path / "bin", monkeypatch, "echo other > onnxruntime-web-1.tgz")
    with pytest.raises(PipelineError, match="its archive has another digest than the one that was"):
        npm.package()
    assert not list(cache.iterdir())
