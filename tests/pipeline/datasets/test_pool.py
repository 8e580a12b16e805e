"""Tasks in several processes: one that dies takes the others with it."""

import os
import signal
import time
from multiprocessing.context import SpawnProcess
from threading import Timer

import numpy as np
import pytest

from pipeline.datasets import pool
from pipeline.errors import ProcessKilledError


class Nothing:
    """A task that a process has done at once."""

    def run(self) -> tuple[np.ndarray, np.ndarray]:
        return np.zeros((1, 1, 1, 1), "uint8"), np.zeros((1, 2), "int32")


@pytest.mark.parametrize("before", [True, False])
def test_a_process_killed_while_another_starts(
    monkeypatch: pytest.MonkeyPatch, before: bool
) -> None:
    """The executor has ended those that it knows of before the second one is among them."""
    started: list[SpawnProcess] = []
    start = SpawnProcess.start

    def start_late(process: SpawnProcess) -> None:
        if not before:
            start(process)
        if started:
            time.sleep(2)  # the first has done its task and waits for another, holding the lock
            os.kill(started[0].pid or 0, signal.SIGKILL)
            time.sleep(1)
        if before:
            start(process)
        started.append(process)

    monkeypatch.setattr(SpawnProcess, "start", start_late)
    begin = time.monotonic()
    watch = Timer(40, lambda: [process.kill() for process in started])
    watch.start()
    with pytest.raises(ProcessKilledError), pool.Workers(2) as workers:
        list(workers.run(Nothing() for _ in range(8)))
    for process in started:
        process.join(20)
    watch.cancel()
    assert time.monotonic() - begin < 20
    assert not any(process.is_alive() for process in started)
