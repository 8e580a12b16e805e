"""Tasks done by several processes or a Ray cluster, their results in the order of the tasks."""

import multiprocessing
import os
import signal
import threading
import warnings
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, Self, TypeVar

from pipeline.errors import PipelineError, ProcessKilledError

if TYPE_CHECKING:
    from pipeline.datasets.ray_pool import RayWorkers

# A number of processes, or ray. Where work is done is no parameter: the bytes are the same.
VARIABLE = "IMAGE_PIPELINE_POOL"

# A process takes 60 MB, and decoding is soon bound by the disk.
MOST_PROCESSES = 8

Result = TypeVar("Result", covariant=True)
T = TypeVar("T")


class Task(Protocol[Result]):
    """A unit of work, small enough to be sent to another process, as its result is."""

    def run(self) -> Result:
        """Do it. Done twice, after a process died, it comes to the same."""


def workers(parallel: bool, threads: int = 1) -> "Workers | RayWorkers":
    """Who runs a stage's tasks: what `IMAGE_PIPELINE_POOL` names.

    Args:
        parallel: whether without the variable as many processes are worth their start as
            this one has processors, at most `MOST_PROCESSES`; else this process does all.
        threads: that a task uses.

    Raises:
        PipelineError: the variable holds neither a number nor ray.
    """
    wanted = os.environ.get(VARIABLE, "")
    if wanted == "ray":
        from pipeline.datasets.ray_pool import RayWorkers

        return RayWorkers(threads)
    if wanted.isdecimal() and 0 < int(wanted) <= 1024:
        return Workers(int(wanted))
    if wanted:
        raise PipelineError(f"{VARIABLE}: {wanted}: expected a number of processes, or ray")
    return Workers(min(processors(), MOST_PROCESSES) if parallel else 1)


class Workers:
    """Processes that run tasks, from the first task to the end of the `with` block.

    One is this process itself. The results are the same.
    """

    def __init__(self, processes: int) -> None:
        self._processes = processes
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Self:
        if self._processes > 1:
            # Spawned, not forked: a fork of a process with threads may hang.
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(self._processes, context, initializer=_start)
        return self

    def __exit__(self, *failure: object) -> None:
        if self._pool:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def run(self, tasks: Iterable[Task[T]]) -> Iterator[T]:
        """The tasks' results, in the order of the tasks.

        No more than two tasks a process are under way, so that memory does not
        grow with their number.

        Raises:
            ProcessKilledError: a process was killed, for want of memory say.
        """
        if not self._pool:
            yield from map(run, tasks)
            return
        under_way: deque[Future[T]] = deque()
        try:
            for task in tasks:
                under_way.append(self._submit(task))
                if len(under_way) >= 2 * self._processes:
                    yield under_way.popleft().result()
            while under_way:
                yield under_way.popleft().result()
        except (BrokenProcessPool, MemoryError):
            # The executor ends those that it knows of when one dies. One that is just being
            # started waits for a lock that the dead one held, and the executor for that one.
            for process in multiprocessing.active_children():
                process.kill()
            raise ProcessKilledError(
                "a process of the pool was killed (too little memory?); "
                "`dvc repro` resumes from here"
            ) from None

    def _submit(self, task: Task[T]) -> Future[T]:
        assert self._pool is not None
        try:
            with _uninterrupted():
                return self._pool.submit(run, task)
        except OSError as error:  # its pipes are closed: one died while this one was started
            raise BrokenProcessPool from error


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Hold Ctrl-C and SIGTERM back while a process may be started: half started, it would die
    with a traceback. It never gets Ctrl-C itself, for it inherits that the signal is blocked."""
    held: list[int] = []
    handlers = {
        number: signal.signal(number, lambda number, _: held.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for late in held:
            signal.raise_signal(late)


def processors() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def run(task: Task[T]) -> T:
    """What is called in the other process."""
    return task.run()


def _start() -> None:
    """In each process: end when the main one is gone, kill -9 included."""
    warnings.simplefilter("ignore")
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: multiprocessing.process.BaseProcess) -> None:
    parent.join()
    os._exit(1)
