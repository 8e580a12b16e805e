"""`tools.sweep` as a process, in a repository with a fast pipeline: real Git, real DVC."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.tools.experiments.support import (
    command,
    enter_repository,
    experiments,
    git,
    run,
    started,
)

THREE = """
defaults: {threads: 1, dropout: [0.1, 0.2]}
experiments:
  - {name: a, seeds: 2}
  - {name: wrong, overrides: {learning_rate: 99}}
  - {name: b, overrides: {seed: 49, epochs: 3}}
"""


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return enter_repository(tmp_path / "repository", monkeypatch)


@pytest.fixture
def sweep(repository: Path) -> Path:
    path = repository.parent / "three.yaml"
    path.write_text(THREE)
    return path


def until(condition, seconds: float = 500) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.1)


def test_it_goes_on_past_a_failure_and_later_runs_what_is_missing(repository, sweep):
    result = run("sweep", str(sweep), "--jobs", "2")
    assert result.returncode == 1, result.stderr
    assert sorted(started(repository)) == ["a-seed42", "a-seed43", "b", "wrong"]
    assert "wrong: failed: train: learning_rate: 99 is too high" in result.stdout
    # Seeds 42 and 43 give 0.2 and 0.3 in this pipeline; their spread is 0.0707.

    table = [line.split() for line in result.stdout.splitlines() if line.startswith("  ")]
    assert table[1] == ["b", "1", "0.9000", "–", "0.5000", "2.5", "s"]
    assert table[2] == [
        "a",
        "2",
        "0.2500",
        "±",
        "0.0707",
        "0.0000",  # Student's t of two values is wide, and a share ends at 0
        "to",
        "0.8853",
        "0.5000",
        "±",
        "0.0000",
        "2.5",
        "±",
        "0.0",
        "s",
    ]
    found = experiments(repository)
    assert set(found) == {"a-seed42", "a-seed43", "b"}
    assert "seed: 43\n" in git(repository, "show", f"{found['a-seed43']}:params.yaml")
    assert (
        json.loads(git(repository, "show", f"{found['b']}:reports/metrics.json"))["accuracy"] == 0.9
    )
    log = (repository / ".state/sweeps/three/logs/wrong.log").read_text()
    assert "train: learning_rate: 99 is too high" in log
    assert git(repository, "status", "--porcelain") == ""
    shown = subprocess.run(
        [sys.executable, "-m", "dvc", "exp", "show", "--csv"], capture_output=True, text=True
    )
    assert shown.stdout.count("a-seed4") == 2

    sweep.write_text(THREE.replace("learning_rate: 99", "learning_rate: 0.1"))
    result = run("sweep", str(sweep))
    assert result.returncode == 0, result.stderr
    assert "3 of 4 are finished already" in result.stdout
    assert started(repository)[4:] == ["wrong"]
    assert not list((repository / ".state/sweeps/three").glob("*worker*"))


@pytest.mark.slow
def test_it_survives_kill_9_and_ends_what_the_killed_one_left(repository, sweep):
    process = subprocess.Popen(
        command("sweep", str(sweep)),
        stdout=subprocess.PIPE,
        env={**os.environ, "EPOCH_SECONDS": "30"},
    )
    until(lambda: started(repository) == ["a-seed42"])
    worker = repository / ".state/sweeps/three/worker-1"
    from tools.experiments import processes

    until(lambda: any("stage.py" in " ".join(p.cmdline()) for p in processes.below(worker)))
    orphans = processes.below(worker)
    busy = run("sweep", str(sweep))
    assert busy.returncode == 1
    assert (
        busy.stderr == "sweep: three: another process runs it here; wait for it, or end that one\n"
    )
    process.kill()
    process.wait()
    assert all(p.is_running() for p in orphans)
    sweep.write_text(THREE.replace("learning_rate: 99", "learning_rate: 1"))
    result = run("sweep", str(sweep))
    assert result.returncode == 0, result.stdout + result.stderr
    assert started(repository) == ["a-seed42", "a-seed42", "a-seed43", "wrong", "b"]
    assert not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in orphans)


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_sweep_ends_its_experiments_and_says_how_to_go_on(
    repository,
    sweep,
    number,
    status,
):
    process = subprocess.Popen(
        command("sweep", str(sweep)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "EPOCH_SECONDS": "30"},
    )
    until(lambda: bool(started(repository)))
    process.send_signal(number)
    _, errors = process.communicate(timeout=500)
    assert (process.returncode, errors) == (
        status,
        "sweep: stopped; the same command resumes from here\n",
    )
    from tools.experiments import processes

    assert [process.cmdline() for process in processes.below(repository / ".state")] == []
    assert experiments(repository) == {}


@pytest.mark.slow
def test_another_commit_or_other_parameters_are_not_taken_for_done(repository, sweep):
    sweep.write_text("experiments: [{name: a, overrides: {dropout: [0.1, 0.2]}}]")
    assert run("sweep", str(sweep)).returncode == 0
    first = experiments(repository)["a"]
    sweep.write_text("experiments: [{name: a, overrides: {dropout: [0.1, 0.3]}}]")
    assert run("sweep", str(sweep)).returncode == 0
    second = experiments(repository)["a"]
    assert second != first
    assert started(repository) == ["a", "a"]

    code = repository / "stages" / "stage.py"
    code.write_text(code.read_text() + "# changed\n")
    refused = run("sweep", str(sweep))
    assert refused.returncode == 1
    assert refused.stderr == (
        "sweep: stages/stage.py: not committed, and experiments run a commit; commit, or give "
        "--as-committed to run the last commit without these changes\n"
    )
    assert run("sweep", str(sweep), "--as-committed").returncode == 0
    assert started(repository) == ["a", "a"]

    git(repository, "commit", "--quiet", "-am", "changed code")
    assert run("sweep", str(sweep)).returncode == 0
    assert started(repository) == ["a", "a", "a"]
    # A commit that decides nothing: DVC restores the experiment, the stage does not run.
    (repository / "README").write_text("words")
    git(repository, "add", "README")
    git(repository, "commit", "--quiet", "-m", "words")
    assert run("sweep", str(sweep)).returncode == 0
    assert started(repository) == ["a", "a", "a"]
    commit = git(repository, "rev-parse", "HEAD")
    assert f"refs/exps/{commit[:2]}/{commit[2:]}/a" in git(repository, "for-each-ref", "refs/exps")


def test_a_wrong_file_runs_nothing(repository, sweep):
    sweep.write_text(THREE.replace("epochs: 3", "epochs: 0"))
    result = run("sweep", str(sweep))
    assert result.returncode == 1
    assert (
        result.stderr
        == f"sweep: {sweep}: b: epochs: input should be greater than or equal to 1, not 0\n"
    )
    assert not started(repository)
    assert not (repository / ".state").exists()
