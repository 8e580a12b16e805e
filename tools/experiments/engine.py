"""Where experiments run, and how they end: what every engine has in common.

An engine runs one experiment for each thread that calls it: processes on this
machine (`local`), or whatever else can check out a commit, run `dvc repro` and
bring the experiment home into the repository.
"""

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

from tools.experiments.experiment import Experiment

Rows = list[dict[str, str]]


@dataclass(frozen=True)
class End:
    """Why a run is ended; `for_good`: nobody will go on from its last epoch."""

    reason: str
    for_good: bool = False


@dataclass(frozen=True)
class Ended:
    """How a run ended: `failure` is None after success, else its last line."""

    failure: str | None
    seconds: float


# Called a few times a second with the epochs so far; what it returns ends the run.
Watcher = Callable[[Rows], End | None]


class Engine(Protocol):
    """Runs experiments of one commit; a context, at whose end nothing of it runs any more."""

    jobs: int

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None: ...

    def run(self, experiment: Experiment, log: Path, watch: Watcher) -> Ended:
        """Run an experiment until it ends or `watch` ends it, in one of up to `jobs` threads.

        After success it is a DVC experiment in the repository. What the run
        prints is added to `log`.
        """


def read_history(path: Path) -> Rows:
    """The rows of a history.csv; none while there is no such file."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    except FileNotFoundError:
        return []
