"""The stage prepare killed, interrupted, and without room on the disk."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from pipeline.parameters.stages import PrepareParameters
from pipeline.runtime import files
from pipeline.runtime.paths import PREPARED
from tests.pipeline.datasets.outs import BAD_IMAGES
from tests.pipeline.datasets.pictures import (
    class_folders,
    download,
    png,
    prepare,
    without_record,
    write_folder,
    write_zip,
)
from tests.support import snapshot

KILL = """
import os, signal
from pipeline.runtime import arrays
from pipeline.datasets import pixels
arrays.CHECKPOINT_SECONDS = -1
pixels._CHUNK_ROWS = 5
append = arrays.ArrayWriter.append
left = [{appends}]
def die(self, rows):
    append(self, rows)
    left[0] -= 1
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
arrays.ArrayWriter.append = die
import stages.prepare as stage
stage.main()
"""


def kill_after(appends: int) -> int:
    script = KILL.format(appends=appends)
    ended = subprocess.run([sys.executable, "-c", script], timeout=500, capture_output=True)
    return ended.returncode


@pytest.mark.parametrize("appends", [1, 23])
def test_a_killed_prepare_goes_on(workspace: Path, appends: int) -> None:
    """Killed (-9) once, and again before it is done: the same bytes as without, no work twice."""
    download(write_folder(workspace.parent / "photos", class_folders(count=40)))
    assert prepare().status == 0
    whole = snapshot(PREPARED)
    files.fresh_folder(PREPARED)
    assert kill_after(appends) == -signal.SIGKILL
    assert list(PREPARED.iterdir()) == []
    assert kill_after(2) == -signal.SIGKILL
    decoded = []
    with pytest.MonkeyPatch.context() as patch:
        from pipeline.datasets import pixels as module

        run = module.FileTask.run
        patch.setattr(
            module.FileTask, "run", lambda task: (decoded.append(len(task.rows)), run(task))[1]
        )
        ended = prepare()
    assert ended.status == 0
    assert snapshot(PREPARED) == whole
    assert sum(decoded) <= 80 - (appends + 2) // 2 * 5 + 10
    assert any("from a run that was stopped" in line for line in ended.out) or appends > 1
    assert list(Path(".state/resume").iterdir()) == []


def test_other_parameters_never_go_on_with_it(workspace: Path) -> None:
    download(write_folder(workspace.parent / "photos", class_folders(count=40)))
    assert prepare(split_seed=1).status == 0
    expected_bytes = snapshot(PREPARED)
    files.write_json(PrepareParameters.path(), json.loads(PrepareParameters.path().read_text()))
    prepare(split_seed=2)
    assert kill_after(8) == -signal.SIGKILL
    ended = prepare(split_seed=1)
    assert not any("stopped" in line for line in ended.out)
    assert snapshot(PREPARED) == expected_bytes


def test_a_kill_between_two_passes(workspace: Path) -> None:
    """With unreadable images left out, the second pass is gone on with, too."""
    photos = write_folder(workspace.parent / "photos", class_folders(count=20) | BAD_IMAGES)
    download(photos)
    assert prepare(unreadable="skip").status == 0
    whole = snapshot(PREPARED)
    for appends in (20, 24):
        files.fresh_folder(PREPARED)
        assert kill_after(appends) == -signal.SIGKILL
        assert prepare(unreadable="skip").status == 0
        assert snapshot(PREPARED) == whole


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_ctrl_c_with_several_processes(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """One line, exit status 130 or 143, no process left, and the next start goes on."""
    monkeypatch.setattr("pipeline.datasets.pool.processors", lambda: 1)  # here, not in the stage
    download(write_zip(workspace.parent / "photos.zip", large_folders()))
    prepare()
    whole = snapshot(PREPARED)
    shutil.rmtree(PREPARED)
    process = subprocess.Popen(
        without_record("prepare"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    children = workers_of(process)
    os.killpg(process.pid, number)
    _, error = process.communicate(timeout=500)
    status, word = (143, "terminated") if number == signal.SIGTERM else (130, "interrupted")
    assert process.returncode == status, error
    assert error.splitlines()[-1] == f"prepare: {word}; `dvc repro` resumes from here"
    assert "Traceback" not in error
    _, alive = psutil.wait_procs(children, timeout=200)
    assert alive == []
    assert not PREPARED.exists()
    assert prepare().status == 0
    assert snapshot(PREPARED) == whole


def test_a_killed_process_gets_one_line(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when the system is short of memory: nothing is thrown away, no process is left."""
    monkeypatch.setattr("pipeline.datasets.pool.processors", lambda: 1)  # here, not in the stage
    download(write_zip(workspace.parent / "photos.zip", large_folders()))
    prepare()
    whole = snapshot(PREPARED)
    shutil.rmtree(PREPARED)
    process = subprocess.Popen(
        without_record("prepare"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    children = workers_of(process)
    next(child for child in children if "spawn_main" in " ".join(child.cmdline())).kill()
    _, error = process.communicate(timeout=500)
    assert process.returncode == 1, error
    assert error.splitlines()[-1] == (
        "prepare: a process of the pool was killed (too little memory?); "
        "`dvc repro` resumes from here"
    )
    assert "Traceback" not in error
    _, alive = psutil.wait_procs(children, timeout=200)
    assert alive == []
    assert len(list(Path(".state/resume").iterdir())) == 1
    assert prepare().status == 0
    assert snapshot(PREPARED) == whole


def workers_of(process: subprocess.Popen) -> list[psutil.Process]:
    """The processes that the stage has started, as soon as there are two."""
    if len(os.sched_getaffinity(0)) < 2:
        process.kill()
        pytest.skip("one processor: the stage starts no processes")
    parent = psutil.Process(process.pid)
    deadline = time.monotonic() + 500
    while len(children := parent.children(recursive=True)) < 2:
        assert time.monotonic() < deadline, "no processes were started"
        assert process.poll() is None, "the stage ended too early"
        time.sleep(0.01)
    return children


def large_folders() -> dict[str, bytes]:
    """Enough bytes to be worth several processes: 11 MB."""
    few = [png(number, 300, 300) for number in range(3)]
    return {
        f"{label}/{number:04}.png": few[(number + len(label)) % 3]
        for label in ("cat", "horse")
        for number in range(20)
    }


def test_workers_end_with_a_killed_stage(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """kill -9 of the stage leaves no process behind, and the next start goes on."""
    monkeypatch.setattr("pipeline.datasets.pool.processors", lambda: 1)  # here, not in the stage
    download(write_zip(workspace.parent / "photos.zip", large_folders()))
    prepare(split_seed=7)
    whole = snapshot(PREPARED)
    files.fresh_folder(PREPARED)
    process = subprocess.Popen(
        without_record("prepare"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    children = workers_of(process)
    process.kill()
    process.wait()
    _, alive = psutil.wait_procs(children, timeout=200)
    assert alive == []
    assert prepare(split_seed=7).status == 0
    assert snapshot(PREPARED) == whole


def test_a_full_disk_gets_one_line(workspace: Path) -> None:
    download(write_folder(workspace.parent / "photos", class_folders(count=40)))
    prepare(image_size=16)
    whole = snapshot(PREPARED)
    files.fresh_folder(PREPARED).rmdir()
    ended = subprocess.run(
        ["bash", "-c", 'ulimit -f 8; exec "$@"', "bash", *without_record("prepare")],
        capture_output=True,
        text=True,
        timeout=500,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1].startswith("prepare: no room on the disk"), ended.stderr
    assert "Traceback" not in ended.stderr
    assert not PREPARED.exists()
    assert prepare(image_size=16).status == 0
    assert snapshot(PREPARED) == whole
