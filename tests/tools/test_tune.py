"""`tools.tune` as a process: trials as experiments, pruning, resuming after kill -9."""

import os
import subprocess
import sys
import time
from pathlib import Path

import optuna
import pytest

from tests.tools.experiments.support import (
    command,
    enter_repository,
    experiments,
    git,
    run,
    started,
)

# The pipeline's validation accuracy is its last dropout.
SEARCH = """
name: s
defaults: {epochs: 2}
search:
  space:
    dropout: [{choices: [0]}, {low: 0.1, high: 0.9}]
  startup_trials: 2
  prune_after: 0
  trials: 4
"""


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return enter_repository(tmp_path / "repository", monkeypatch)


@pytest.fixture
def search(repository: Path) -> Path:
    path = repository.parent / "search.yaml"
    path.write_text(SEARCH)
    return path


def study(repository: Path) -> optuna.Study:
    return optuna.load_study(study_name="s", storage=f"sqlite:///{repository}/.state/optuna.db")


def test_each_trial_is_an_experiment_and_its_value_the_validation_accuracy(repository, search):
    search.write_text(SEARCH.replace("trials: 4", "trials: 2"))
    result = run("tune", str(search))
    assert result.returncode == 0, result.stdout + result.stderr
    found = experiments(repository)
    assert set(found) == {"s-000", "s-001"} == set(started(repository))
    for trial in study(repository).trials:
        assert trial.state == optuna.trial.TrialState.COMPLETE
        assert trial.value == pytest.approx(trial.params["dropout.1"])
        params = git(repository, "show", f"{found[trial.user_attrs['experiment']]}:params.yaml")
        assert f"- {trial.params['dropout.1']}" in params
    best = max(study(repository).trials, key=lambda trial: trial.value)
    assert f"`dvc exp apply {best.user_attrs['experiment']}`" in result.stdout
    again = run("tune", str(search))
    assert "2 of 2 trials are done already" in again.stdout
    assert len(started(repository)) == 2
    search.write_text(SEARCH.replace("high: 0.9", "high: 0.8"))
    changed = run("tune", str(search))
    assert (changed.returncode, changed.stderr) == (
        1,
        "tune: s: its defaults or its space were others when the study began; give the search another name\n",
    )


@pytest.mark.slow
def test_a_hopeless_trial_is_ended_and_the_search_goes_on_after_kill_9(repository, search):
    search.write_text(SEARCH.replace("startup_trials: 2", "startup_trials: 1"))
    os.environ["EPOCH_SECONDS"] = "3"
    try:
        process = subprocess.Popen(command("tune", str(search)), stdout=subprocess.DEVNULL)
        end = time.monotonic() + 500
        while len(started(repository)) < 2:
            assert time.monotonic() < end
            time.sleep(0.2)
        process.kill()
        process.wait()
        # The worst that there is: no first epoch of another trial is as bad.
        stopped = study(repository)
        assert [t.state.name for t in stopped.trials] == ["COMPLETE", "RUNNING"]
        stopped.enqueue_trial({"dropout.0": "0", "dropout.1": 0.1})
        result = run("tune", str(search))
    finally:
        del os.environ["EPOCH_SECONDS"]
    assert result.returncode == 0, result.stdout + result.stderr
    trials = study(repository).trials
    states = {t.number: t.state.name for t in trials}
    # The killed one is tried again under its own name, and counts once.
    assert states[1] == "FAIL"
    names = [t.user_attrs["experiment"] for t in trials if t.state.name in ("COMPLETE", "PRUNED")]
    assert len(names) == 4
    assert names.count("s-001") == 1
    hopeless = next(t for t in trials if t.params["dropout.1"] == 0.1)
    assert hopeless.state.name == "PRUNED"
    name = hopeless.user_attrs["experiment"]
    assert f"{name}: pruned after epoch 1: validation accuracy 0.0500" in result.stdout
    assert name not in experiments(repository)


def test_the_resume_files_of_a_pruned_trial_go_and_no_others(repository):
    from tools.experiments import pruned

    folder = repository / ".state" / "sweeps" / "s" / "worker-1"
    for path in (folder, repository / ".state" / "locks"):
        path.mkdir(parents=True)
    for key in ("train-mine", "train-other"):
        (repository / ".state" / "resume" / key).mkdir(parents=True)
    stage = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], cwd=folder)
    (repository / ".state/locks/train-mine.pid").write_text(str(stage.pid))
    (repository / ".state/locks/train-other.pid").write_text(str(os.getpid()))
    time.sleep(0.5)
    pruned.forget_resume_files(folder)
    assert stage.wait(timeout=200) < 0
    left = sorted(path.name for path in (repository / ".state" / "resume").iterdir())
    assert left == ["train-other"]
