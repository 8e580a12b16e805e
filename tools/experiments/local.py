"""Experiments as processes of this machine, each in a clone of the repository."""

import queue
import shutil
import threading
from pathlib import Path
from typing import Self

from tools.experiments.clone import cache_folder
from tools.experiments.engine import Ended, Watcher
from tools.experiments.experiment import Experiment
from tools.experiments.repository import Repository
from tools.experiments.worker import Worker


class LocalProcesses:
    """An engine with clones in `folder`, one for each of `jobs` experiments at a time."""

    def __init__(self, repository: Repository, commit: str, folder: Path, jobs: int) -> None:
        self.jobs = jobs
        self._repository = repository
        self._commit = commit
        self._folder = folder
        self._base = repository.base(commit)
        self._making = threading.Lock()
        self._free: queue.SimpleQueue[Worker | Path] = queue.SimpleQueue()

    def __enter__(self) -> Self:
        self._cache = cache_folder(self._repository.root)
        # Those of a sweep that was killed: ends what still runs there, keeps what it finished.
        left = {path: self._worker(path) for path in sorted(self._folder.glob("worker-*"))}
        for number in range(1, self.jobs + 1):
            path = self._folder / f"worker-{number}"
            self._free.put(left.get(path, path))
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            for folder in self._folder.glob("*worker-*"):
                shutil.rmtree(folder, ignore_errors=True)

    def run(self, experiment: Experiment, log: Path, watch: Watcher) -> Ended:
        """See `engine.Engine`."""
        free = self._free.get()
        try:
            if isinstance(free, Path):
                free = self._worker(free)
            return free.run(experiment, self._base.written(experiment.parameters), log, watch)
        finally:
            self._free.put(free)

    def _worker(self, folder: Path) -> Worker:
        with self._making:
            return Worker(self._repository, folder, self._commit, self._cache)
