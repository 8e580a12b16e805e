"""Ending processes: a stopped experiment's, and those that a killed sweep has left alive."""

import contextlib
import time
from collections.abc import Iterable
from pathlib import Path

import psutil

# Seconds that a stage has to put its record in order after SIGTERM.
GRACE = 20.0


def below(folder: Path) -> list[psutil.Process]:
    """The Python processes that work in `folder` or below it."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if Path(process.cwd()).is_relative_to(folder) and "python" in process.name().lower():
                found.append(process)
    return found


def family(pid: int) -> list[psutil.Process]:
    """A process and all that it has started, the latest last; none if it is gone."""
    try:
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def end(processes: Iterable[psutil.Process], grace: float = GRACE) -> None:
    """Ask the processes to end, wait `grace` seconds, and kill those that have not."""
    left = [process for process in processes if _lives(process)]
    for process in left:
        with contextlib.suppress(psutil.Error):
            process.terminate()
    until = time.monotonic() + grace
    while left and time.monotonic() < until:
        time.sleep(0.1)
        left = [process for process in left if _lives(process)]
    for process in left:
        with contextlib.suppress(psutil.Error):
            process.kill()


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
