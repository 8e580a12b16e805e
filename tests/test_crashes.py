"""kill -9 of dvc and its stage together, at chosen events and at random moments.

Whatever the moment, the next `make repro` needs no repair by hand, and what
stands in the end is what a run that nobody killed makes, byte for byte.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.repository import FINISHED, Repository

CHANGES = {"epochs": 30, "augmentation": True, "best_weights": True}
LONGEST = 25.0  # seconds until a kill: into the evaluation, on an idle machine


def repair(repository: Repository) -> None:
    """What `make repro` does first: DVC's own files may be broken."""
    mended = repository.run(sys.executable, "-m", "tools.repair")
    assert mended.returncode == 0, mended.stderr


def started(repository: Repository) -> subprocess.Popen[bytes]:
    repair(repository)
    return subprocess.Popen(
        ["dvc", "repro"],
        cwd=repository.folder,
        env=repository.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        process_group=0,  # its stages are in it, too
    )


def kill_when(repository: Repository, event: Callable[[Path], bool]) -> None:
    """Start `dvc repro` and kill its whole process group as soon as `event` is true of the
    repository's folder."""
    process = started(repository)
    until = time.monotonic() + 500
    while not event(repository.folder):
        assert process.poll() is None, "it ended before the event"
        assert time.monotonic() < until
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def epochs(folder: Path) -> int:
    """How many rows history.csv has."""
    path = folder / "reports/history.csv"
    return len(path.read_text().splitlines()) - 1 if path.exists() else 0


def scoring(folder: Path) -> bool:
    """Whether the stage evaluate has begun."""
    return bool(list((folder / ".state/resume").glob("evaluate-*")))


def check(survived: Repository, undisturbed: Repository) -> None:
    repair(survived)
    out = survived.dvc("repro")
    assert survived.bytes() == undisturbed.bytes(), out
    assert set(survived.runs().status) <= {"FINISHED", "FAILED"}
    assert not list((survived.folder / ".state/resume").iterdir())


def test_kills_in_training_and_scoring_leave_the_same_bytes(tmp_path, shared_folder):
    undisturbed = Repository.finished(shared_folder, tmp_path / "undisturbed")
    survived = Repository(tmp_path / "survived")
    survived.set(**FINISHED)
    kill_when(survived, lambda folder: epochs(folder) == 1)
    kill_when(survived, lambda folder: epochs(folder) == 3)
    kill_when(survived, scoring)
    check(survived, undisturbed)


def kill_at_random(repository: Repository, generator: random.Random) -> bool:
    """Start `dvc repro` and kill its whole process group; False if it was done before."""
    process = started(repository)
    try:
        process.wait(generator.uniform(1.0, LONGEST))
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return True
    assert process.returncode == 0
    return False


@pytest.mark.slow
@pytest.mark.parametrize("kills", [20])
def test_kills_at_random_moments_leave_the_same_bytes(tmp_path, kills):
    undisturbed = Repository(tmp_path / "undisturbed")
    undisturbed.set(**CHANGES)
    undisturbed.dvc("repro")

    generator = random.Random(kills)
    survived, killed, round_ = Repository(tmp_path / "survived-0"), 0, 0
    survived.set(**CHANGES)
    while killed < kills:
        if kill_at_random(survived, generator):
            killed += 1
        else:  # done before the kill: check it, and go on with a fresh one
            assert survived.bytes() == undisturbed.bytes()
            round_ += 1
            survived = Repository(tmp_path / f"survived-{round_}")
            survived.set(**CHANGES)
    check(survived, undisturbed)
