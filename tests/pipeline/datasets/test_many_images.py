"""The same bytes from one process, two, and a cluster of two nodes, whatever is killed."""

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import psutil
import pytest

from benchmarks import many_images
from pipeline.datasets import pool
from pipeline.errors import PipelineError
from pipeline.runtime import source
from pipeline.runtime.paths import RAW
from tests import loopback
from tests.pipeline.datasets.pictures import class_folders, download, write_folder, write_tar
from tests.support import snapshot

IMAGES = 5_000


@pytest.mark.parametrize("wanted", ["two", "0", "-1", "1025", "Ray"])
def test_a_wrong_pool_is_one_line(wanted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(pool.VARIABLE, wanted)
    with pytest.raises(PipelineError) as raised:
        pool.workers(parallel=True)
    assert str(raised.value) == (
        f"IMAGE_PIPELINE_POOL: {wanted}: expected a number of processes, or ray"
    )


def test_without_ray_there_is_one_line(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(pool.VARIABLE, "ray")
    monkeypatch.setitem(sys.modules, "ray", None)
    ended = download(write_folder(workspace.parent / "photos", class_folders()))
    assert ended.status == 1
    assert ended.error == [
        "download: IMAGE_PIPELINE_POOL: ray is not installed; type `make setup EXTRA=scale`"
    ]


@pytest.mark.parametrize("write", [write_folder, write_tar])
def test_two_processes_copy_the_same_bytes(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[..., Path]
) -> None:
    monkeypatch.setattr("pipeline.datasets.shards.SHARD_IMAGES", 7)
    photos = write(workspace.parent / "photos", class_folders(count=20))
    assert download(photos).status == 0
    whole = snapshot(RAW)
    assert len(list(RAW.glob("*.tar"))) == 6
    monkeypatch.setenv(pool.VARIABLE, "2")
    assert download(photos).status == 0
    assert snapshot(RAW) == whole


@pytest.mark.slow
def test_one_process_two_and_a_cluster(tmp_path: Path) -> None:
    """5,000 photographs; in the second round of two processes and of the cluster one is killed."""
    photographs = many_images.make_photographs(tmp_path / "photographs", IMAGES)
    workspace = tmp_path / "workspace"
    stages = list(many_images.ready(workspace, photographs, list(many_images.STAGES)))

    def outs(run: Callable[[str], None]) -> dict[str, str]:
        found = {}
        begun = time.monotonic()
        for stage in stages:
            shutil.rmtree(workspace / many_images.OUTS[stage], ignore_errors=True)
            run(stage)
            found[stage] = many_images.digest(workspace / many_images.OUTS[stage])
            print(stage, found[stage][:12], f"{time.monotonic() - begun:.1f} s", flush=True)
        return found

    def here(processes: str) -> Callable[[str], None]:
        return lambda stage: (
            many_images.run(stage, workspace, IMAGE_PIPELINE_POOL=processes) and None
        )

    one = outs(here("1"))
    assert outs(here("2")) == one
    assert outs(lambda stage: killed_and_resumed(stage, workspace)) == one
    with loopback.cluster() as box:
        assert outs(lambda stage: on(box, stage, workspace, kill=False)) == one
        assert outs(lambda stage: on(box, stage, workspace, kill=True)) == one
        box.start_blind_node(workspace)
        refused = box.run(
            command("download"),
            cwd=workspace,
            environment={**environment(workspace), pool.VARIABLE: "ray"},
        )
    assert refused.returncode == 1
    assert refused.stderr.splitlines()[-1] == (
        "download: IMAGE_PIPELINE_POOL: the Ray node 127.0.0.3 does not see "
        f"{workspace}; that folder has to be shared by all nodes (NFS, say)"
    )


def killed_and_resumed(stage: str, workspace: Path) -> None:
    """One of two processes is killed: one line, and the next start goes on."""
    process = subprocess.Popen(
        command(stage), env=environment(workspace), cwd=workspace, stderr=subprocess.PIPE, text=True
    )
    parent = psutil.Process(process.pid)
    kill_one(lambda: parent.children(), lambda: process.poll() is None)
    _, error = process.communicate(timeout=900)
    assert process.returncode == 1, error
    assert "a process of the pool was killed" in error.splitlines()[-1]
    many_images.run(stage, workspace, IMAGE_PIPELINE_POOL="2")


def on(box: loopback.Loopback, stage: str, workspace: Path, kill: bool) -> None:
    """The stage on the cluster. A killed worker's tasks are done again, and the stage goes on."""
    process = box.start(
        command(stage),
        cwd=workspace,
        environment={**environment(workspace), pool.VARIABLE: "ray"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if kill:
        kill_one(box.workers, lambda: process.poll() is None, moment=0)
    printed, _ = process.communicate(timeout=900)
    assert process.returncode == 0, printed


def kill_one(
    found: Callable[[], Iterable[psutil.Process]], goes_on: Callable[[], bool], moment: float = 0.3
) -> None:
    """Kill -9 the first process that is found, once it has worked for a moment (seconds of CPU)."""
    until = time.monotonic() + 900
    while goes_on() and time.monotonic() < until:
        for each in found():
            with contextlib.suppress(psutil.NoSuchProcess):
                if sum(each.cpu_times()[:2]) >= moment:
                    each.kill()
                    return
        time.sleep(0.005)
    raise AssertionError("there was no process to kill")


def command(stage: str) -> list[str]:
    return [sys.executable, "-m", f"stages.{stage}"]


def environment(workspace: Path) -> dict[str, str]:
    known = {"PYTHONPATH": str(source.ROOT), "DVC_ROOT": str(workspace), pool.VARIABLE: "2"}
    return {**os.environ, **known}
