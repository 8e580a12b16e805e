"""The stage download killed, twice at once, and without room on the disk."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.parameters.stages import DownloadParameters
from pipeline.runtime import files
from pipeline.runtime.paths import RAW
from tests.pipeline.datasets.conftest import Published
from tests.pipeline.datasets.outs import images, index
from tests.pipeline.datasets.pictures import (
    class_folders,
    download,
    png,
    without_record,
    write_folder,
)
from tests.pipeline.datasets.server import Server, stalled
from tests.support import snapshot


def start(**environment: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        without_record("download"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **environment},
    )


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 500
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def test_a_killed_copy_goes_on(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed (-9) in the middle, by a named pipe's absence of bytes: the rest is copied, no more."""
    monkeypatch.setattr("pipeline.datasets.shards.SHARD_IMAGES", 25)
    photos = write_folder(workspace.parent / "photos", class_folders(count=30))
    assert download(photos).status == 0
    whole = snapshot(RAW)
    script = (
        "from pipeline.datasets import shards\n"
        "import os, signal\n"
        "shards.CHECKPOINT_SECONDS = -1\n"
        "shards.SHARD_IMAGES = 25\n"
        "add = shards.ShardWriter.add\n"
        "left = [40]\n"
        "def die(self, *image):\n"
        "    add(self, *image)\n"
        "    left[0] -= 1\n"
        "    if not left[0]: os.kill(os.getpid(), signal.SIGKILL)\n"
        "shards.ShardWriter.add = die\n"
        "import stages.download as stage\n"
        "stage.main()\n"
    )
    files.fresh_folder(RAW)
    killed = subprocess.run([sys.executable, "-c", script], timeout=500, capture_output=True)
    assert killed.returncode == -signal.SIGKILL
    assert list(RAW.iterdir()) == []
    ended = download(photos)
    assert ended.out[-1] == "download: resuming after 40 images, from a run that was stopped"
    assert snapshot(RAW) == whole
    assert list(Path(".state/resume").iterdir()) == []


@pytest.mark.parametrize("function", ["_describe", "files.publish"])
def test_a_changed_folder_is_not_gone_on_with(workspace: Path, function: str) -> None:
    """Killed before the description and when all is there."""
    photos = write_folder(workspace.parent / "photos", class_folders(count=30))
    script = (
        "from pipeline.datasets import own_images\n"
        "import os, signal\n"
        f"own_images.{function} = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "import stages.download as stage\n"
        "stage.main()\n"
    )
    files.write_json(DownloadParameters.path(), {"dataset": str(photos)})
    killed = subprocess.run([sys.executable, "-c", script], timeout=500, capture_output=True)
    assert killed.returncode == -signal.SIGKILL
    (photos / "cat" / "000.png").write_bytes(png(777))
    ended = download(photos)
    assert ended.out == ["download: photos: 60 images in 2 classes"]
    assert images()["cat/000.png"] == png(777)


def test_a_killed_download_goes_on(
    server: Server, cache: Path, mnist: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed (-9) while the server stalls: the next start asks for the rest alone."""
    name = "train-images-idx3-ubyte.gz"
    server.files = {f"mnist/{file}": data for file, data in mnist.files.items()}
    server.faults[f"mnist/{name}"] = [stalled]
    files.write_json(DownloadParameters.path(), {"dataset": "mnist"})
    half = len(mnist.files[name]) // 2
    process = start(IMAGE_PIPELINE_TIMEOUT="30")
    state = Path(".state/resume")
    wait_for(lambda: any(part.stat().st_size == half for part in state.rglob("*.part")))
    process.kill()
    process.wait()
    server.requests.clear()
    assert download("mnist").status == 0
    assert server.requests[0] == (f"mnist/{name}", f"bytes={half}-")
    assert np.load(RAW / "images.npy")[..., 0].tolist() == mnist.images.tolist()
    assert list(state.iterdir()) == []


def test_two_at_once_give_one_data_set(workspace: Path) -> None:
    """A killed dvc leaves its stage alive: the next one waits for it."""
    photos = write_folder(workspace.parent / "photos", class_folders(count=30))
    files.write_json(DownloadParameters.path(), {"dataset": str(photos)})
    processes = [start() for _ in range(3)]
    assert [process.wait(timeout=500) for process in processes] == [0, 0, 0]
    assert len(index()) == len(images()) == 60


def test_a_full_disk_gets_one_line(workspace: Path) -> None:
    """A limit on the size of files shows it; the stage goes on when there is room."""
    photos = write_folder(workspace.parent / "photos", class_folders(count=30))
    files.write_json(DownloadParameters.path(), {"dataset": str(photos)})
    ended = subprocess.run(
        ["bash", "-c", 'ulimit -f 4; exec "$@"', "bash", *without_record("download")],
        capture_output=True,
        text=True,
        timeout=500,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert ended.returncode == 1
    last = ended.stderr.splitlines()[-1]
    assert last.startswith("download: no room on the disk"), ended.stderr
    assert not RAW.exists()
    assert download(photos).status == 0
    assert len(index()) == 60
