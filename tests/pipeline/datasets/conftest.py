"""A workspace with an own cache folder, a server, and named data sets that are small."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tests.pipeline.datasets.official import Files, descriptors, mnist_files
from tests.pipeline.datasets.server import Server, serving


@dataclass(frozen=True)
class Published:
    """A small MNIST: the descriptors' folder, the files, and what is in them."""

    descriptors: Path
    files: Files
    images: np.ndarray
    labels: np.ndarray


@pytest.fixture
def cache(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder, and no mirror."""
    folder = workspace.parent / "cache"
    monkeypatch.setenv("IMAGE_PIPELINE_CACHE", str(folder))
    monkeypatch.delenv("IMAGE_PIPELINE_MIRROR", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return folder


@pytest.fixture
def mnist(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Published:
    """The data set mnist as a small one in the official layout."""
    files, images, labels = mnist_files()
    folder = descriptors(workspace.parent / "named", "mnist", files)
    monkeypatch.setenv("IMAGE_PIPELINE_DESCRIPTORS", str(folder))
    return Published(folder, files, images, labels)


@pytest.fixture
def server(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A mirror on 127.0.0.1, named in the environment, that is given up after 20 s: a busy machine is not stalled."""
    with serving() as found:
        monkeypatch.setenv("IMAGE_PIPELINE_MIRROR", found.address)
        monkeypatch.setenv("IMAGE_PIPELINE_TIMEOUT", "20")
        yield found


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """pooch waits 1 and 2 seconds before its retries."""
    monkeypatch.setattr("pooch.core.time", SimpleNamespace(sleep=lambda seconds: None))
