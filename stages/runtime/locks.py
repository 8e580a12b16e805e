"""Locks between processes, released by the kernel when their holder dies."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from stages.runtime.stage import say


@contextmanager
def exclusive(path: Path, stage: str, what: str) -> Iterator[None]:
    """Hold the lock `path`; while another process holds it, say so once and wait.

    A killed dvc leaves its stage alive, and the next `dvc repro` would start a
    second writer beside it: the second waits here. `what` completes the line
    'process 1234 is still …'.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    holder = path.with_suffix(".pid")
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        pid = holder.read_text().strip() if holder.exists() else "?"
        say(stage, f"process {pid} is still {what}; waiting for it (`kill {pid}` ends it)")
        lock.acquire()
    try:
        holder.write_text(str(os.getpid()))
        yield
    finally:
        lock.release()
