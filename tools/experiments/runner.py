"""Running experiments, one or several at a time, and going on where an earlier start stopped.

What is finished is what DVC knows: an experiment of that name that began at
this commit and whose params.yaml has the same values. There is no journal
beside it that a kill could leave behind the facts. Of another commit none
counts: it is run anew, and DVC's run cache brings it back in seconds, without
a second MLflow run, where nothing has changed that decides its result.
"""

import shutil
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock, Timeout

from pipeline.errors import PipelineError
from pipeline.runtime import paths
from pipeline.runtime.stage import Stopped, say
from tools.experiments.clone import cache_folder
from tools.experiments.experiment import PARAMS_FILE, Base, Experiment, parameters_of
from tools.experiments.repository import Repository
from tools.experiments.worker import Ended, Watcher, Worker

MOST_JOBS = 64


@dataclass
class Outcome:
    """`finished`: name to the experiment's commit; `failed`: name to its last line."""

    finished: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


class Runner:
    """Runs experiments of one commit in `.state/sweeps/<name>`, where their logs stay.

        with Runner("sweep", name, repository, commit, jobs=2) as runner:
            outcome = runner.run(experiments)

    Raises:
        PipelineError: another process runs a sweep of this name here.
    """

    def __init__(
        self, command: str, name: str, repository: Repository, commit: str, jobs: int
    ) -> None:
        if not 1 <= jobs <= MOST_JOBS:
            raise PipelineError(f"--jobs: expected 1 to {MOST_JOBS}, not {jobs}")
        self.command = command
        self.repository = repository
        self.commit = commit
        self.jobs = jobs
        self.folder = paths.state() / "sweeps" / name
        self.logs = self.folder / "logs"
        self.base = Base(repository.file(commit, PARAMS_FILE) or "")
        self._lock = FileLock(self.folder / "lock")
        self._collecting = threading.Lock()
        self._stop = threading.Event()

    def __enter__(self) -> "Runner":
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise PipelineError(
                f"{self.folder.name}: another process runs it here; wait for it, or end that one"
            ) from None
        self.cache = cache_folder(self.repository.root)
        for left in sorted(self.folder.glob("worker-*")):
            self.worker(left)  # ends what a killed sweep left alive, and keeps what it finished
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            for folder in self.folder.glob("*worker-*"):
                shutil.rmtree(folder, ignore_errors=True)
        self._lock.release()

    def run(self, experiments: Sequence[Experiment]) -> Outcome:
        """Run what is missing; a failure does not stop the others.

        Ctrl-C and SIGTERM end the running ones in order and are raised on.
        """
        outcome = Outcome()
        missing: deque[Experiment] = deque()
        for experiment in experiments:
            if revision := self.finished(experiment):
                outcome.finished[experiment.name] = revision
            else:
                missing.append(experiment)
        if outcome.finished:
            say(self.command, f"{len(outcome.finished)} of {len(experiments)} are finished already")
        if not missing:
            return outcome
        total, number = len(experiments), len(outcome.finished)

        def take() -> tuple[int, Experiment] | None:
            nonlocal number
            with self._collecting:
                if not missing or self._stop.is_set():
                    return None
                number += 1
                return number, missing.popleft()

        def work(folder: Path) -> None:
            worker = self.worker(folder)
            while (taken := take()) is not None:
                place, experiment = taken
                say(self.command, f"[{place}/{total}] {experiment.name}: started")
                ended = self.one(worker, experiment)
                if ended.failure is None and (revision := self.finished(experiment)):
                    outcome.finished[experiment.name] = revision
                    words = "finished"
                else:
                    reason = ended.failure or "its experiment is not in the repository"
                    outcome.failed[experiment.name] = reason
                    words = f"failed: {reason}"
                say(
                    self.command,
                    f"[{place}/{total}] {experiment.name}: {words} ({ended.seconds:.0f} s)",
                )

        self.in_parallel(work, min(self.jobs, len(missing)))
        return outcome

    def finished(self, experiment: Experiment) -> str | None:
        """The commit of the finished experiment; None if it is missing or was another."""
        revision = self.repository.experiments(self.commit).get(experiment.name)
        text = self.repository.file(revision, PARAMS_FILE) if revision else None
        if text is None or parameters_of(text) != experiment.parameters:
            return None
        return revision

    def one(self, worker: Worker, experiment: Experiment, watch: Watcher | None = None) -> Ended:
        """Run one experiment in a worker, until it ends or `watch` ends it."""

        def watching(folder: Path) -> str | None:
            if self._stop.is_set():
                return "interrupted"
            return watch(folder) if watch else None

        log = self.logs / f"{experiment.name}.log"
        return worker.run(experiment, self.base.written(experiment.parameters), log, watching)

    def in_parallel(self, work: Callable[[Path], None], jobs: int) -> None:
        """Call `work(folder)` in `jobs` threads, each with a worker's folder of its own."""

        def guarded(folder: Path) -> None:
            try:
                work(folder)
            except BaseException:
                self._stop.set()
                raise

        # Not Thread.join: a signal that interrupts it in Python 3.11 makes it
        # take the thread for ended.
        with ThreadPoolExecutor(jobs) as pool:
            folders = [self.folder / f"worker-{number}" for number in range(1, jobs + 1)]
            futures = [pool.submit(guarded, folder) for folder in folders]
            try:
                while wait(futures, timeout=0.2).not_done:
                    pass
            except (KeyboardInterrupt, Stopped):
                self._stop.set()
                say(self.command, "ending the running experiments; they keep their finished epochs")
                raise
        for future in futures:
            future.result()

    def stopping(self) -> bool:
        """Whether the running experiments are to end."""
        return self._stop.is_set()

    def worker(self, folder: Path) -> Worker:
        """A worker in this folder, which nobody else uses."""
        with self._collecting:
            return Worker(self.repository, folder, self.commit, self.cache)


def checked_commit(repository: Repository, as_committed: bool, *beside: str) -> str:
    """The commit to run; `beside` is what it runs of other code than the pipeline's.

    Raises:
        PipelineError: the code or params.yaml is changed and not committed, and
            `as_committed` does not say that the commit is meant all the same.
    """
    commit = repository.commit()
    changed = repository.uncommitted(*beside)
    if changed and not as_committed:
        more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
        raise PipelineError(
            f"{changed[0]}{more}: not committed, and experiments run a commit; commit, "
            "or give --as-committed to run the last commit without these changes"
        )
    return commit
