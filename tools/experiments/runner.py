"""Running experiments, one or several at a time, and going on where an earlier start stopped.

What is finished is what DVC knows: an experiment of that name that began at
this commit and whose params.yaml has the same values. There is no journal
beside it that a kill could leave behind the facts. Of another commit none
counts: it is run anew, and DVC's run cache brings it back in seconds, without
a second MLflow run, where nothing has changed that decides its result.
"""

import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Protocol

from filelock import FileLock, Timeout

from pipeline.errors import PipelineError
from pipeline.runtime import paths
from pipeline.runtime.stage import Stopped, say
from tools.experiments.engine import End, Ended, Engine, Rows
from tools.experiments.experiment import PARAMS_FILE, Experiment, parameters_of
from tools.experiments.local import LocalProcesses
from tools.experiments.repository import Repository
from tools.runs.run import Run
from tools.runs.together import Reader

MOST_JOBS = 64


@dataclass
class Outcome:
    """`finished`: name to the experiment's run; `failed`: name to its last line."""

    finished: dict[str, Run] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


class Source(Protocol):
    """What gives experiments and is told how they ended: one `ask` or `tell` at a time, `watch`
    in the thread of its experiment."""

    def ask(self) -> Experiment | None:
        """The next experiment; None when there is no more."""

    def watch(self, experiment: Experiment, rows: Rows) -> End | None:
        """Whether a running experiment, with these epochs so far, is to be ended."""

    def tell(self, experiment: Experiment, ended: Ended, run: Run | None) -> None:
        """How it ended, and what came out where it came to its end."""


class Runner:
    """Runs experiments of one commit under the name `name`, which one process has at a time.

        with Runner("sweep", name, repository, commit, jobs=2) as runner:
            outcome = runner.run(experiments)

    Logs stay in `.state/sweeps/<name>`.

    Raises:
        PipelineError: another process runs a sweep of this name here.
    """

    def __init__(
        self,
        command: str,
        name: str,
        repository: Repository,
        commit: str,
        jobs: int | None,
        engine: Engine | None = None,
    ) -> None:
        if jobs is not None and not 1 <= jobs <= MOST_JOBS:
            raise PipelineError(f"--jobs: expected 1 to {MOST_JOBS}, not {jobs}")
        self.command = command
        self.repository = repository
        self.commit = commit
        self.folder = paths.state() / "sweeps" / name
        self.logs = self.folder / "logs"
        self.base = repository.base(commit)
        self.engine = engine or LocalProcesses(repository, commit, self.folder, jobs or 1)
        self._lock = FileLock(self.folder / "lock")
        self._turn = threading.Lock()
        self._stop = threading.Event()

    def __enter__(self) -> "Runner":
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise PipelineError(
                f"{self.folder.name}: another process runs it here; wait for it, or end that one"
            ) from None
        try:
            self._reader = Reader()
            self.engine.__enter__()
        except BaseException:
            self._lock.release()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        try:
            self.engine.__exit__(kind, *rest)
        finally:
            self._lock.release()

    def run(self, experiments: Sequence[Experiment]) -> Outcome:
        """Run what is missing of a list; a failure does not stop the others."""
        listed = _List(self, experiments)
        self.drive(listed, len(listed.missing))
        return listed.outcome

    def finished(self, experiment: Experiment) -> Run | None:
        """The run of a finished experiment; None if it is missing, was another, or has no score."""
        known = self.repository.experiments(self.commit).get(experiment.name)
        text = self.repository.file(known.commit, PARAMS_FILE) if known else None
        if known is None or text is None or parameters_of(text) != experiment.parameters:
            return None
        run = self._reader.read(known)
        return run if "test_accuracy" in run.metrics else None

    def drive(self, source: Source, most: int) -> None:
        """Run what `source` gives, at most `most` at a time, until it has no more.

        Ctrl-C and SIGTERM end the running ones in order and are raised on; the
        source is not told of those.
        """

        def work() -> None:
            try:
                while True:
                    with self._turn:
                        experiment = None if self._stop.is_set() else source.ask()
                    if experiment is None:
                        return
                    self._one(source, experiment)
            except BaseException:
                self._stop.set()
                raise

        jobs = min(self.engine.jobs, most)
        if jobs < 1:
            return
        # Not Thread.join: a signal that interrupts it in Python 3.11 makes it
        # take the thread for ended.
        with ThreadPoolExecutor(jobs) as pool:
            futures = [pool.submit(work) for _ in range(jobs)]
            try:
                while wait(futures, timeout=0.2).not_done:
                    pass
            except (KeyboardInterrupt, Stopped):
                self._stop.set()
                say(self.command, "ending the running experiments; they keep their finished epochs")
                raise
        for future in futures:
            future.result()

    def _one(self, source: Source, experiment: Experiment) -> None:
        def watch(rows: Rows) -> End | None:
            if self._stop.is_set():
                return End("interrupted")
            return source.watch(experiment, rows)

        ended = self.engine.run(experiment, self.logs / f"{experiment.name}.log", watch)
        if ended.failure is not None and self._stop.is_set():
            return
        with self._turn:
            run = self.finished(experiment) if ended.failure is None else None
            if ended.failure is None and run is None:
                reason = "its experiment is not in the repository, or without test accuracy"
                ended = Ended(reason, ended.seconds)
            source.tell(experiment, ended, run)


class _List:
    """A list of experiments as a source, those left out that are finished."""

    def __init__(self, runner: Runner, experiments: Sequence[Experiment]) -> None:
        self.outcome = Outcome()
        self.missing: deque[Experiment] = deque()
        self._command = runner.command
        for experiment in experiments:
            if run := runner.finished(experiment):
                self.outcome.finished[experiment.name] = run
            else:
                self.missing.append(experiment)
        done = len(self.outcome.finished)
        if done:
            say(self._command, f"{done} of {len(experiments)} are finished already")
        self._places = {
            each.name: f"[{place}/{len(experiments)}] {each.name}"
            for place, each in enumerate(self.missing, done + 1)
        }

    def ask(self) -> Experiment | None:
        if not self.missing:
            return None
        experiment = self.missing.popleft()
        say(self._command, f"{self._places[experiment.name]}: started")
        return experiment

    def watch(self, experiment: Experiment, rows: Rows) -> End | None:
        return None

    def tell(self, experiment: Experiment, ended: Ended, run: Run | None) -> None:
        if run:
            self.outcome.finished[experiment.name] = run
            words = "finished"
        else:
            self.outcome.failed[experiment.name] = ended.failure or ""
            words = f"failed: {ended.failure}"
        say(self._command, f"{self._places[experiment.name]}: {words} ({ended.seconds:.0f} s)")


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
