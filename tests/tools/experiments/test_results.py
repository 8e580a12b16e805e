"""What came out of an experiment, wherever it is kept."""

import json
from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from tests.tools.experiments.support import git, make_repository
from tools.experiments import results
from tools.experiments.experiment import Experiment
from tools.experiments.repository import Repository
from tools.experiments.results import Result, mean_and_spread
from tools.experiments.table import comparison

MODEL, LISTING, METRICS = "0" * 32, "1" * 32 + ".dir", "2" * 32
LOCK = f"""
stages:
  train:
    outs:
      - {{path: data/model, md5: {LISTING}}}
      - {{path: reports/metrics.json, md5: '{METRICS}'}}
"""


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A DVC cache with a model and metrics in it."""
    listing = json.dumps([{"md5": MODEL, "relpath": "model.keras"}])
    for md5, text in ((MODEL, "model"), (LISTING, listing), (METRICS, '{"accuracy": 0.5}')):
        path = tmp_path / "cache" / "files" / "md5" / md5[:2] / md5[2:]
        path.parent.mkdir(parents=True)
        path.write_text(text)
    return tmp_path / "cache"


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    make_repository(tmp_path / "r")
    (tmp_path / "r" / "dvc.lock").write_text(LOCK)
    git(tmp_path / "r", "add", ".")
    git(tmp_path / "r", "commit", "--quiet", "-m", "lock")
    return Repository(tmp_path / "r")


def test_figures_come_from_git_or_from_the_cache(repository, cache, monkeypatch):
    monkeypatch.setattr(results, "train_seconds", lambda digest: 3.0)
    assert results.read_result(repository, "a", "HEAD", cache).accuracy == 0.5
    reports = repository.root / "reports"
    reports.mkdir()
    (reports / "metrics.json").write_text('{"accuracy": 0.75, "loss": 1}')
    (reports / "history.csv").write_text("epoch,accuracy\n1,0.5\n")
    git(repository.root, "add", ".")
    git(repository.root, "commit", "--quiet", "-m", "reports")
    found = results.read_result(repository, "a", "HEAD", cache)
    assert (found.accuracy, found.loss, found.seconds) == (0.75, 1, 3)
    assert found.history == [{"epoch": "1", "accuracy": "0.5"}]
    with pytest.raises(PipelineError, match="a: its reports/metrics"):
        results.read_result(repository, "a", "HEAD~2", cache)


def test_the_models_digest_leads_to_its_mlflow_run(repository, cache, tmp_path):
    # SHA-256 of the five letters "model".
    digest = "9372c470eeadd5ecd9c3c74c2b3cb633f8e2f2fad799250a0f70d652b6b825e4"
    assert results.model_digest(repository, "HEAD", cache) == digest
    assert results.model_digest(repository, "HEAD", tmp_path) is None
    assert results.model_digest(repository, "HEAD~1", cache) is None


def test_the_spread_is_the_samples():
    assert mean_and_spread([1.0]) == (1.0, None)
    assert mean_and_spread([1.0, 2.0, 3.0]) == (2.0, 1.0)


def test_the_table_has_a_line_for_each_group_the_best_first():
    experiments = [Experiment(name, name[0], {}) for name in ("a1", "a2", "b1", "c1")]
    found = {
        "a1": Result("a1", "", 0.25, 1.0, [], None),
        "a2": Result("a2", "", 0.75, 1.0, [], None),
        "b1": Result("b1", "", 0.625, 0.5, [], 9.0),
    }
    assert comparison(experiments, found, {"c1": "why"}).splitlines() == [
        "  experiment  runs    test accuracy        test loss  training",
        "  b              1           0.6250           0.5000     9.0 s",
        "  a              2  0.5000 ± 0.3536  1.0000 ± 0.0000         –",
        "  c1: failed: why",
    ]
