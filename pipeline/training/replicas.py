"""Training in parallel, from outside: the workers that share a training, watched to their end.

The stage train starts them, keeps the record while they train, and makes the model of the
checkpoint that they leave. So the record, the history and the model have one writer, and
the model is finished by the same code on one device, wherever the replicas were.
"""

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline import distribution
from pipeline.datasets.dropped import dropped
from pipeline.errors import PipelineError
from pipeline.parameters import parallel
from pipeline.parameters.stages import TrainParameters
from pipeline.runtime.stage import say
from pipeline.training import checkpoint, worker
from pipeline.training.checkpoint import Progress
from pipeline.training.fitting import CHECKPOINT

# How often workers are started again, from the last epoch, before that is an error.
RESTARTS = 3
POLL_SECONDS = 0.1
LOG = "worker-{rank}.log"


def train(
    parameters: TrainParameters,
    dataset: Mapping[str, Any],
    folder: Path,
    progress: Progress,
    on_epoch: Callable[[Progress], None],
) -> Progress:
    """Train with every batch divided over the replicas, from where `progress` is.

    Args:
        folder: the resume folder; holds the checkpoints, and the workers' messages.
        on_epoch: called in this process after each epoch.

    Returns:
        The progress of the finished training, whose checkpoint is in `folder`; with one
        replica `progress` as it is, for there is nothing to divide.

    Raises:
        PipelineError: the workers refuse, or die again and again.
    """
    replicas = parameters.replicas
    if replicas == 1:
        return progress
    parallel.check(replicas, parameters.batch_size, parameters.backend)
    place = parallel.place()
    images = sum(dataset["counts"]["train"]) - len(dropped())
    if images < replicas:
        raise PipelineError(
            f"replicas: {replicas} of them need as many training images, and there are {images}"
        )
    left = (
        f"; {images % replicas} images, others every epoch, are left out"
        if images % replicas
        else ""
    )
    say("train", f"every batch is divided over {replicas} {_called(place)}{left}")
    (folder / worker.REFUSAL).unlink(missing_ok=True)
    follower = Follower(folder, progress, on_epoch)
    if place == "ray":
        from pipeline.training import on_ray

        on_ray.train(replicas, folder, progress.run_id, RESTARTS, follower.look)
    else:
        _train_here(replicas if place == "processes" else 1, folder, follower)
    return follower.progress


def _called(place: str) -> str:
    return {"devices": "devices", "processes": "processes", "ray": "workers of Ray"}[place]


class Follower:
    """Sees the epochs that the workers finish."""

    def __init__(
        self, folder: Path, progress: Progress, on_epoch: Callable[[Progress], None]
    ) -> None:
        self.progress = progress
        self._folder = folder
        self._on_epoch = on_epoch
        self._seen = 0

    def look(self) -> None:
        """Call `on_epoch` for what is new.

        Raises:
            PipelineError: a worker has refused.
        """
        path = self._folder / CHECKPOINT
        with contextlib.suppress(OSError):
            written = path.stat().st_mtime_ns
            found = checkpoint.read_progress(path) if written != self._seen else None
            self._seen = written
            for row in found.history[len(self.progress.history) :] if found else []:
                self.progress.history.append(row)
                self._on_epoch(self.progress)
            self.progress = found or self.progress
        refusal = self._folder / worker.REFUSAL
        if refusal.exists():
            line = refusal.read_text(encoding="utf-8")
            refusal.unlink()
            raise PipelineError(line)


def _train_here(processes: int, folder: Path, follower: Follower) -> None:
    for start in range(RESTARTS + 1):
        with _workers(processes, folder, follower.progress.run_id) as workers:
            lost = _watched(workers, follower)
        follower.look()
        if lost is None:
            return
        how = _end_of(workers[lost].returncode)
        epochs = len(follower.progress.history)
        if start < RESTARTS:
            say("train", f"worker {lost} {how}; all start again after epoch {epochs}")
    raise PipelineError(
        f"replicas: worker {lost} of {processes} {how}, the {RESTARTS + 1}th time; its messages: "
        f"{folder / LOG.format(rank=lost)}"
    )


@contextlib.contextmanager
def _workers(
    count: int, folder: Path, run_id: str | None
) -> Iterator[list[subprocess.Popen[bytes]]]:
    """The processes; whatever happens, none of them stays."""
    options = ["--processes", str(count), *(["--run-id", run_id] if run_id else [])]
    if count > 1:
        options += ["--address", f"127.0.0.1:{distribution.free_port('127.0.0.1')}"]
    program = [sys.executable, "-m", worker.__name__, str(folder), *options]
    started: list[subprocess.Popen[bytes]] = []
    try:
        for rank in range(count):
            with (folder / LOG.format(rank=rank)).open("wb") as log:
                started.append(
                    subprocess.Popen(
                        [*program, "--rank", str(rank)],
                        stdin=subprocess.PIPE,
                        stdout=None if rank == 0 else log,
                        stderr=log,
                        start_new_session=True,  # Ctrl-C is the stage's
                    )
                )
        yield started
    finally:
        for process in started:
            process.kill()
            process.wait()


def _watched(workers: list[subprocess.Popen[bytes]], follower: Follower) -> int | None:
    """Wait for the workers; the rank of the first that fails, None if none does."""
    while True:
        follower.look()
        ended = [process.poll() for process in workers]
        for rank, status in enumerate(ended):
            if status:
                return rank
        if None not in ended:
            return None
        time.sleep(POLL_SECONDS)


def _end_of(status: int) -> str:
    if status < 0:
        with contextlib.suppress(ValueError):
            return f"was ended by {signal.Signals(-status).name}"
    return f"ended with status {status}"
