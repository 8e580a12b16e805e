"""Locks between processes, released by the kernel when their holder dies."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from pipeline.runtime import paths
from pipeline.runtime.stage import say

# Stands in a resume folder while another process waits for the same result:
# the one that finishes leaves its files there, and nothing is computed twice.
WAITING = "waiting"


@contextmanager
def exclusive(lock: Path, stage: str, doing: str, folder: Path) -> Iterator[None]:
    """Hold the file `lock`; while another process holds it, say so once and wait.

    A killed dvc leaves its stage alive, and the next `dvc repro` would start a
    second writer beside it: the second waits here. `doing` completes the line
    'process 1234 is still …'; `folder` is the waiting stage's resume folder.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    holder = lock.with_suffix(".pid")
    file_lock = FileLock(lock)
    try:
        file_lock.acquire(timeout=0)
    except Timeout:
        pid = holder.read_text().strip() if holder.exists() else "?"
        say(stage, f"process {pid} is still {doing}; waiting for it (`kill {pid}` ends it)")
        (folder / WAITING).touch()
        file_lock.acquire()
        (folder / WAITING).unlink(missing_ok=True)
    try:
        holder.write_text(str(os.getpid()))
        yield
    finally:
        file_lock.release()


@contextmanager
def one_at_a_time(stage: str, doing: str, folder: Path) -> Iterator[None]:
    """Hold two locks: of this workspace's stage, and of the result whose resume folder is
    `folder`, wherever else it may be computed too."""
    workspace = hashlib.sha256(str(Path.cwd()).encode()).hexdigest()[:16]
    locks = paths.state() / "locks"
    with (
        exclusive(locks / f"workspace-{workspace}-{stage}.lock", stage, doing, folder),
        exclusive(locks / f"{folder.name}.lock", stage, doing, folder),
    ):
        yield
