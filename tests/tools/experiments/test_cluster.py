"""Experiments on a Ray cluster of two nodes, in a box: machines that die, drivers that die."""

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import optuna
import psutil
import pytest

from tests.box import HEAD, Box, kill, until
from tests.repository import Repository
from tests.support import REPOSITORY
from tests.tools.experiments.support import (
    command,
    enter_repository,
    experiments,
    git,
    started,
)
from tools.experiments import processes
from tools.experiments.engine import read_history

pytestmark = pytest.mark.slow
HERE, THERE = "127.0.0.1", "127.0.0.2"
SECRETS = ("hunter2-of-aws", "hunter2-of-dvc")
LINES = """
defaults: {threads: 1, dropout: [0.1, 0.2], epochs: EPOCHS}
experiments:
  - {name: a, seeds: SEEDS}
"""


@pytest.fixture(scope="module")
def box() -> Iterator[Box]:
    # Unix sockets have short names.
    with Box(Path(tempfile.mkdtemp(prefix="ray-"))) as made:
        yield made


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return enter_repository(tmp_path / "repository", monkeypatch)


def nodes(box: Box, tmp_path: Path, *addresses: str) -> None:
    """These nodes and no others; all but the head see nothing of the repositories here."""
    hidden = tmp_path.parent
    for address in set(box.nodes) - set(addresses):
        box.lose(address)
    for address in addresses:
        if address not in box.nodes:
            cache = str(box.folder / "cache")
            box.node(address, hidden, EPOCH_SECONDS="3", IMAGE_PIPELINE_CACHE=cache)


def sweep_file(epochs: int = 2, seeds: int = 2) -> str:
    path = Path("../three.yaml")
    path.write_text(LINES.replace("EPOCHS", str(epochs)).replace("SEEDS", str(seeds)))
    return str(path)


def on_cluster(name: str, *arguments: str) -> tuple[str, ...]:
    """The command line of an entry point in a process that finds this project's code."""
    return ("env", f"PYTHONPATH={REPOSITORY}", *command(name, *arguments), "--cluster", HEAD)


def test_every_node_works_and_all_comes_home(box, repository, tmp_path):
    nodes(box, tmp_path, HERE, THERE)
    path = sweep_file(seeds=4)
    with Path(path).open("a") as file:
        file.write("  - {name: wrong, overrides: {learning_rate: 99}}\n")
    local = repository / ".dvc" / "config.local"
    local.write_text(f"['remote \"r\"']\nurl = s3://none\nsecret_access_key = {SECRETS[1]}\n")
    result = box.run(*on_cluster("sweep", path), AWS_SECRET_ACCESS_KEY=SECRETS[0])
    assert result.returncode == 1, result.stdout + result.stderr
    assert "wrong: failed: train: learning_rate: 99 is too high" in result.stdout
    names = {f"a-seed{seed}" for seed in range(42, 46)}
    assert set(experiments(repository)) == names
    (copy,) = (box.folder / "cache" / "nodes").glob("repository-*")
    here, there = started(repository), started(copy)
    assert sorted([*here, *there]) == sorted([*names, "wrong"])
    assert here
    assert there
    for name in [*names, "wrong"]:
        log = (repository / f".state/sweeps/three/logs/{name}.log").read_text()
        assert ("a note" in log) == (name != "wrong")
    # The models of other machines are in the cache here, as DVC keeps them.
    for name in names:
        git(repository, "checkout", "--quiet", "--force", "main")
        applied = box.run(sys.executable, "-m", "dvc", "exp", "apply", name)
        assert applied.returncode == 0, applied.stderr
        assert f'"seed": {name[-2:]}' in (repository / "data/model/model.keras").read_text()
    texts = [p for p in box.folder.rglob("*") if p.is_file() and p.name != "config.local"]
    texts += [p for p in (repository / ".state").rglob("*") if p.is_file()]
    assert len(texts) > 20
    for text in texts:
        assert not [word for word in SECRETS if word.encode() in text.read_bytes()], text
    assert not [word for word in SECRETS if word in result.stdout + result.stderr]


def test_a_search_ends_a_hopeless_trial_on_its_node(box, repository, tmp_path):
    nodes(box, tmp_path, HERE)
    search = tmp_path / "search.yaml"
    search.write_text(
        "name: s\n"
        "defaults: {epochs: 3, threads: 1}\n"
        "search:\n"
        "  {trials: 2, startup_trials: 1, prune_after: 0,\n"
        "   space: {dropout: [{choices: [0]}, {low: 0.1, high: 0.9}]}}\n"
    )
    (repository / ".state").mkdir()
    storage = f"sqlite:///{repository}/.state/optuna.db"
    study = optuna.create_study(storage=storage, study_name="s", direction="maximize")
    for dropout in (0.9, 0.1):
        study.enqueue_trial({"dropout.0": "0", "dropout.1": dropout})
    result = box.run(*on_cluster("tune", str(search)))
    assert result.returncode == 0, result.stdout + result.stderr
    assert [trial.state.name for trial in study.trials] == ["COMPLETE", "PRUNED"]
    assert "s-001: pruned after epoch 1: validation accuracy 0.0333" in result.stdout
    assert set(experiments(repository)) == {"s-000"}


def test_a_driver_that_dies_costs_nothing_that_was_finished(box, repository, tmp_path):
    nodes(box, tmp_path, HERE)
    path = sweep_file(epochs=4)
    driver = box.start(*on_cluster("sweep", path))
    until(lambda: len(started(repository)) == 2)
    assert set(experiments(repository)) == {"a-seed42"}
    clone = repository / ".state/sweeps/three"
    until(lambda: any("stage.py" in " ".join(p.cmdline()) for p in processes.below(clone)))
    left = processes.below(clone)
    kill(driver)
    until(lambda: not [p for p in left if p.is_running() and p.status() != psutil.STATUS_ZOMBIE])
    result = box.run(*on_cluster("sweep", path))
    assert result.returncode == 0, result.stdout + result.stderr
    assert "1 of 2 are finished already" in result.stdout
    assert started(repository) == ["a-seed42", "a-seed43", "a-seed43"]


def test_a_node_that_dies_costs_its_experiment_a_new_start(box, repository, tmp_path):
    nodes(box, tmp_path, HERE, THERE)
    shutil.rmtree(box.folder / "cache", ignore_errors=True)
    path = sweep_file(epochs=6)
    driver = box.start(*on_cluster("sweep", path))
    copies = box.folder / "cache" / "nodes"
    until(lambda: started(repository) and any(started(p) for p in copies.glob("repository-*")))
    box.lose(THERE)
    out, error = driver.communicate(timeout=900)
    assert driver.returncode == 0, out + error
    assert "its node died; starting it again" in out
    assert set(experiments(repository)) == {"a-seed42", "a-seed43"}
    assert sorted(started(repository)) == ["a-seed42", "a-seed43"]
    assert error == ""


def test_with_a_shared_folder_a_restart_resumes_and_the_bytes_are_the_same(
    box, tmp_path, monkeypatch
):
    project, other = Repository(tmp_path / "project"), Repository(tmp_path / "other")
    lines = tmp_path / "lines.yaml"
    lines.write_text("defaults: {epochs: 150}\nexperiments: [{name: a, seeds: 2}]\n")
    nodes(box, tmp_path, HERE)
    box.node(THERE)  # another machine, which sees the folder
    monkeypatch.chdir(project.folder)
    for name in [name for name in os.environ if name.startswith(("MLFLOW_", "DVC_"))]:
        monkeypatch.delenv(name)
    server = box.start("env", f"PYTHONPATH={REPOSITORY}", *command("ui", "--port", "5055"))
    assert server.stdout
    assert "http://127.0.0.1:5055" in server.stdout.readline()
    address = {"MLFLOW_TRACKING_URI": "http://127.0.0.1:5055"}
    driver = box.start(*on_cluster("sweep", str(lines)), **Repository.environment(), **address)
    clone = project.folder / ".state/sweeps/lines/node2-worker-1"
    until(lambda: len(read_history(clone / "reports/history.csv")) >= 3)
    box.lose(THERE)
    out, error = driver.communicate(timeout=1500)
    assert driver.returncode == 0, out + error
    (lost,) = [line.split(": ")[1] for line in out.splitlines() if "its node died" in line]
    log = (project.folder / f".state/sweeps/lines/logs/{lost}.log").read_text()
    resumed = re.search(r"resuming after epoch (\d+)", log)
    assert resumed, log
    assert int(resumed[1]) >= 2
    kill(server)
    runs = project.runs()
    assert sorted(runs["status"]) == ["FINISHED", "FINISHED"]
    assert list(runs.loc[runs["tags.dvc_experiment"] == lost, "tags.resumed"]) == ["1"]
    local = other.run(*command("sweep", str(lines)))
    assert local.returncode == 0, local.stderr
    for name, commit in experiments(project.folder).items():
        there = git(project.folder, "show", f"{commit}:dvc.lock")
        assert there == git(other.folder, "show", f"{experiments(other.folder)[name]}:dvc.lock")


def test_a_cluster_that_is_lost_or_none_is_one_line(box, repository, tmp_path):
    nodes(box, tmp_path, HERE)
    path = sweep_file(epochs=60, seeds=1)

    def refusal(address: str, **environment: str) -> str:
        line = on_cluster("sweep", path)[:-1]
        result = box.run(*line, address, **environment)
        assert result.returncode == 1
        return result.stderr

    none = "no cluster answers there; expected auto or HOST:PORT\n"
    assert refusal("127.0.0.1:9") == f"sweep: --cluster: 127.0.0.1:9: {none}"
    assert refusal("everywhere") == f"sweep: --cluster: everywhere: {none}"
    wrong = refusal(HEAD, RAY_AUTH_TOKEN="0" * 32)
    assert wrong.endswith("RAY_AUTH_TOKEN is not the cluster's\n")
    assert wrong.count("\n") == 1
    text = Path(path).read_text()
    Path(path).write_text(text + "resources: {cpu: 1, gpu: 1}\n")
    assert refusal(HEAD) == (
        "sweep: resources: cpu: 1, gpu: 1: no node of the cluster has so many (they have 1 and 0); "
        "ask for less (`cpu` is `threads` where it is left out)\n"
    )
    Path(path).write_text(text)
    driver = box.start(*on_cluster("sweep", path))
    until(lambda: started(repository))
    box.lose(HERE)
    out, error = driver.communicate(timeout=300)
    assert (driver.returncode, error) == (
        1,
        f"sweep: the cluster at {HEAD} is lost; what was finished stands, and the same command "
        "goes on when it is back\n",
    ), out
    clone = repository / ".state/sweeps/three"
    until(lambda: not processes.below(clone), 60)
