"""kill -9 of dvc and its stage together, at random moments, again and again.

Whatever the moment, the next `make repro` needs no repair by hand, and what
stands in the end is what a run that nobody killed makes, byte for byte.
"""

import os
import random
import signal
import subprocess
import sys

import pytest

from tests.repository import Repository

CHANGES = {"epochs": 30, "augmentation": True, "best_weights": True}
LONGEST = 25.0  # seconds until a kill: into the evaluation, on an idle machine


def repair(repository: Repository) -> None:
    """What `make repro` does first: DVC's own files may be broken."""
    mended = repository.run(sys.executable, "-m", "tools.repair")
    assert mended.returncode == 0, mended.stderr


def kill_at_random(repository: Repository, generator: random.Random) -> bool:
    """Start `dvc repro` and kill its whole process group; False if it was done before."""
    repair(repository)
    process = subprocess.Popen(
        ["dvc", "repro"],
        cwd=repository.folder,
        env=repository.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        process.wait(generator.uniform(1.0, LONGEST))
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return True
    assert process.returncode == 0
    return False


@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.slow)])
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
    repair(survived)
    out = survived.dvc("repro")
    assert survived.bytes() == undisturbed.bytes(), out
    assert set(survived.runs().status) <= {"FINISHED", "FAILED"}
    assert not list((survived.folder / ".state/resume").iterdir())
