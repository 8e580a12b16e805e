"""DVC's experiments: from their commits, and from a real `dvc exp run`."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import PipelineError
from pipeline.parameters.stages import STAGES, combined
from pipeline.runtime import files, paths
from tests.tools.comparison.recording import outcome, record, track, write_reports
from tools.runs import experiments
from tools.runs.together import Reader

PIPELINE = """
stages:
  train:
    cmd: python make.py
    params: [seed]
    deps: [make.py]
    outs:
      - data/params/report.json
      - data/prepared
      - data/model
      - reports/predictions.csv
      - reports/history.csv: {cache: false}
      - reports/confusion.csv: {cache: false}
    metrics:
      - reports/metrics.json: {cache: false}
"""
MAKE = """
from tests.tools.comparison.recording import outcome, write_reports
from pipeline.runtime import files, paths
seed = int(open("params.yaml").read().split("seed: ")[1].split()[0])
write_reports(outcome(0.7, seed))
files.write_json(paths.PARAMS / "report.json", {"code": "c0de", "seed": seed, "dropout": [0.1, 0.8], "model": "tiny_cnn"})
files.write_json(paths.PREPARED / "dataset.json", {"digest": "sha256:one", "classes": ["a", "b"]})
files.write_text(paths.MODEL / "model.keras", "the model")
"""


def git(*arguments: str) -> str:
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def dvc(*arguments: str) -> None:
    environment = {**os.environ, "DVC_NO_ANALYTICS": "true"}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    environment.pop("DVC_ROOT", None)
    for name in ("AUTHOR", "COMMITTER"):
        environment |= {f"GIT_{name}_NAME": "a", f"GIT_{name}_EMAIL": "a@example.org"}
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *arguments], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def repository(workspace: Path) -> Path:
    git("init", "-q")
    dvc("init", "-q")
    git("add", ".")
    git("commit", "-qm", "first")
    return workspace


def test_nothing_outside_git(workspace):
    assert experiments.list_experiments() == []


def test_experiments_are_the_commits_under_refs_exps(repository):
    write_reports(outcome(0.7, 1))
    files.write_json(paths.PARAMS / "report.json", {"seed": 1, "dropout": []})
    git("add", "-Af", ".")
    git("commit", "-qm", "an experiment")
    commit, baseline = git("rev-parse", "HEAD"), git("rev-parse", "HEAD~1")
    git("update-ref", f"refs/exps/{baseline[:2]}/{baseline[2:]}/warm-colt", commit)
    git("update-ref", "refs/exps/exec/EXEC_HEAD", commit)
    git("update-ref", "refs/exps/celery/stash", commit)
    (found,) = experiments.list_experiments()
    assert (found.name, found.commit, found.baseline) == ("warm-colt", commit, baseline)
    run = experiments.read_experiment(found)
    assert run.parameters == {"seed": "1", "dropout": "[]"}
    assert run.metrics == {"test_accuracy": 0.7}
    assert run.started == found.time > 1e9
    np.testing.assert_array_equal(run.results.outcome.right, outcome(0.7, 1))
    assert run.data_digest == ""  # data/prepared is not in this one
    with pytest.raises(PipelineError, match=r"^warm-colt: data/model/model.keras is not in DVC's"):
        experiments.fetch(found, Path("data/model/model.keras"), Path("copy.keras"))


def commit_experiment(name: str) -> experiments.Experiment:
    """What is in the folder, as an experiment of the commit before."""
    git("add", "-Af", ".")
    git("commit", "-qm", "an experiment")
    commit, baseline = git("rev-parse", "HEAD"), git("rev-parse", "HEAD~1")
    git("update-ref", f"refs/exps/{baseline[:2]}/{baseline[2:]}/{name}", commit)
    return next(found for found in experiments.list_experiments() if found.name == name)


def test_the_seconds_are_mlflows_else_the_commits_own(repository, tmp_path_factory, monkeypatch):
    write_reports(outcome(0.7, 1))
    files.write_text(paths.MODEL_FILE, "the model")
    files.write_json(experiments.TRAINING, {"train_seconds": 9.5})
    first = commit_experiment("first")
    assert Reader().read(first).metrics == {"test_accuracy": 0.7, "train_seconds": 9.5}
    write_reports(outcome(0.8, 1))
    second = commit_experiment("second")  # with the seconds that stood in the commit before
    assert Reader().read(second).metrics == {"test_accuracy": 0.8}
    track(repository, tmp_path_factory, monkeypatch)
    record(outcome(0.7, 1), tags={"model_digest": files.sha256(paths.MODEL_FILE)})
    assert experiments.model_digest(second) == files.sha256(paths.MODEL_FILE)
    for experiment in (first, second):
        assert Reader().read(experiment).metrics["train_seconds"] == 2


def test_the_digest_of_the_code_is_the_stages_together(repository):
    for stage in STAGES:
        files.write_json(stage.path(), {"code": f"digest of {stage.stage()}", "seed": 1})
    run = experiments.read_experiment(commit_experiment("new"))
    assert run.code == combined({each.stage(): f"digest of {each.stage()}" for each in STAGES})
    assert run.parameters == {"seed": "1"}
    files.write_json(STAGES[0].path(), {"seed": 1})  # of before there were digests
    assert experiments.read_experiment(commit_experiment("old")).code == ""


def test_what_dvc_cannot_read_is_read_from_git(repository):
    write_reports(outcome(0.7, 1))
    found = commit_experiment("odd")
    Path(".dvc/config").write_text("[core\n")
    run = experiments.read_experiment(found)
    assert run.metrics == {"test_accuracy": 0.7}
    assert len(run.results.history["epoch"]) == 3


@pytest.mark.slow
def test_a_real_experiment(repository, tmp_path):
    """As `dvc exp run --temp` leaves it: Git, DVC's cache, and then without the cache."""
    Path("dvc.yaml").write_text(PIPELINE)
    Path("make.py").write_text(MAKE)
    Path("params.yaml").write_text("seed: 1\n")
    git("add", ".")
    git("commit", "-qm", "the pipeline")
    dvc("exp", "run", "--temp", "-n", "mine", "-S", "seed=2")
    (found,) = experiments.list_experiments()
    run = experiments.read_experiment(found)
    assert run.name == "mine"
    assert run.commit == found.commit
    assert run.parameters == {"seed": "2", "dropout": "[0.1, 0.8]", "model": "tiny_cnn"}
    assert run.data_digest == "sha256:one"
    assert run.results.problems == []
    np.testing.assert_array_equal(run.results.outcome.right, outcome(0.7, 2))
    experiments.fetch(found, Path("data/model/model.keras"), tmp_path / "copy")
    assert (tmp_path / "copy").read_text() == "the model"
    shutil.rmtree(".dvc/cache")
    run = experiments.read_experiment(found)
    assert run.results.outcome is None
    assert run.results.confusion is not None
    assert run.results.problems == ["its resolved parameters are not in DVC's cache (`dvc pull`)"]
    assert json.dumps(run.metrics) == '{"test_accuracy": 0.7}'
