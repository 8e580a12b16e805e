"""A node's part of a cluster, in this process: a bundle in, an experiment and its data out."""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from tests.tools.experiments.support import (
    command,
    enter_repository,
    experiments,
    git,
    started,
)
from tools.experiments.engine import End
from tools.experiments.file import read_file
from tools.experiments.job import Job
from tools.experiments.repository import Repository
from tools.experiments.seat import Place, Seat
from tools.runs.experiments import read_experiment


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    monkeypatch.setenv("IMAGE_PIPELINE_CACHE", str(tmp_path / "node"))
    return Repository(enter_repository(tmp_path / "repository", monkeypatch))


def job(repository: Repository, **changes: object) -> Job:
    commit = repository.commit()
    about = {
        "name": "a", "params": repository.base(commit).text, "commit": commit, "sweep": "s",
        "root": str(repository.root), "host": "driver", "token": "t", "remote": False,
        "identity": {"user.name": "Another", "user.email": "another@example.org"},
        "recorded_here": True, "variables": {"KERAS_BACKEND": "jax"}, "settings": "",
    }  # fmt: skip
    return Job(**{**about, **changes})  # type: ignore[arg-type]


def test_an_experiment_goes_to_a_node_and_comes_home(repository, tmp_path):
    seat = Seat(job(repository))
    place = seat.place()
    assert (place.host, place.shared, place.known) == (platform.node(), False, False)
    commit = tmp_path / "commit.bundle"
    repository.bundle(commit, repository.commit())
    seat.start(place, commit.read_bytes())
    log = b""
    while not (step := seat.step(None)).ended:
        log += step.log
    log += step.log
    assert step.ended.failure is None, log.decode()
    assert b"a note" in log
    assert [row["epoch"] for row in step.rows] == ["1", "2"]
    assert experiments(repository.root) == {}
    home = tmp_path / "home.bundle"
    home.write_bytes(seat.bundle())
    repository.collect(home, repository.commit())
    found = experiments(repository.root)["a"]
    assert git(repository.root, "log", "-1", "--format=%cn", found) == "Another"
    # Its outs, of which one is a folder: its list, and its file.
    (listed,) = [path for path in step.outs if path.endswith(".dir")]
    (entry,) = json.loads(seat.part(f"{step.cache}/{listed}", 0))
    model = f"files/md5/{entry['md5'][:2]}/{entry['md5'][2:]}"
    assert model in step.outs
    whole = seat.part(f"{step.cache}/{model}", 0)
    assert seat.part(f"{step.cache}/{model}", 1) == whole[1:]
    assert json.loads(whole)["seed"] == 42
    seat.leave()
    assert Seat(job(repository)).place().known


@pytest.mark.slow
def test_with_a_remote_the_data_goes_through_it(repository, tmp_path, monkeypatch):
    root, remote = repository.root, tmp_path / "remote"
    (root / ".dvc" / "config").write_text(
        f"[core]\nremote = r\nautostage = true\n['remote \"r\"']\nurl = {remote}\n"
    )
    pipeline = root / "dvc.yaml"  # as the project's own: no out is Git's
    pipeline.write_text(pipeline.read_text().replace(": {cache: false}", ""))
    git(root, "commit", "--quiet", "-am", "a remote")
    commit = tmp_path / "commit.bundle"
    repository.bundle(commit, repository.commit())
    for name in ("a", "b"):  # each on a node that knows nothing
        monkeypatch.setenv("IMAGE_PIPELINE_CACHE", str(tmp_path / f"node-{name}"))
        seat = Seat(job(repository, name=name, remote=True))
        place = seat.place()
        seat.start(place, commit.read_bytes())
        while not (step := seat.step(None)).ended:
            pass
        assert step.ended.failure is None
        assert step.outs == []
        home = tmp_path / "home.bundle"
        home.write_bytes(seat.bundle())
        repository.collect(home, repository.commit())
        seat.leave()
        # What one has pushed the other takes: nothing runs twice.
        assert started(Path(place.root)) == (["a"] if name == "a" else [])
    for name in ("a", "b"):
        assert read_experiment(repository.experiments(repository.commit())[name]).metrics[
            "test_accuracy"
        ] == pytest.approx(0.2)
    assert not (root / ".dvc" / "cache").exists()


def test_a_node_that_shares_the_folder_works_in_it(repository):
    mark = repository.root / ".state" / "sweeps" / "s" / "token"
    mark.parent.mkdir(parents=True)
    for token, shared in (("t", True), ("another", False)):
        mark.write_text(token)
        place = Seat(job(repository)).place()
        assert (place.shared, place.known) == (shared, shared)
        assert (place.root == str(repository.root)) == shared


@pytest.fixture
def told(tmp_path, monkeypatch):
    """In place of Python a program that says what it was told, and with what environment."""
    program = tmp_path / "program"
    program.write_text(
        f"#!{sys.executable}\n"
        "import json, os, sys\n"
        "asked = [sys.stdin.readline(), sys.stdin.readline()]\n"
        "print(json.dumps({'asked': asked, 'environment': dict(os.environ)}), flush=True)\n"
    )
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))


@pytest.mark.parametrize(("host", "file"), [("driver", None), ("another", "another.db")])
def test_what_an_experiment_is_told(repository, monkeypatch, told, host, file):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # as Ray does
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    seat = Seat(job(repository, settings="a password"))
    seat.start(Place(host, str(repository.root), shared=True, known=True), None)
    step = seat.step(End("enough", for_good=True))
    while not step.ended:
        step = seat.step(None)
    assert step.ended.failure == "its process died on the node"
    environment = seat._said["environment"]
    assert environment["KERAS_BACKEND"] == "jax"
    assert environment["DVC_ROOT"] == str(repository.root)
    assert "OMP_NUM_THREADS" not in environment
    # A file of the driver's machine is not for others to record in.
    assert environment.get("MLFLOW_TRACKING_URI") == (file and f"sqlite:///.state/{file}")
    first, second = map(json.loads, seat._said["asked"])
    assert (first["job"]["name"], first["job"]["variables"]) == ("a", {})
    assert second == {"reason": "enough", "for_good": True}
    assert "password" not in repr(job(repository, settings="a password"))


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("{cpu: 0}", "resources: cpu: input should be greater than or equal to 1, not 0"),
        ("{gpu: some}", "resources: gpu: expected a whole number, not 'some'"),
        ("{cpus: 2}", "resources: cpus: unknown key; did you mean cpu?"),
    ],
)
def test_wrong_resources_are_one_line(tmp_path, line, wrong):
    path = tmp_path / "e.yaml"
    path.write_text(f"grid: {{dropout: [0.2]}}\nresources: {line}\n")
    with pytest.raises(PipelineError) as refused:
        read_file(path)
    assert str(refused.value) == f"{path}: {wrong}"


def test_without_the_extra_it_is_one_line(repository, tmp_path):
    without = tmp_path / "without" / "ray"
    without.mkdir(parents=True)
    (without / "__init__.py").write_text("raise ModuleNotFoundError('no ray', name='ray')")
    path = tmp_path / "e.yaml"
    path.write_text("experiments: [{name: a}]\n")
    found = os.pathsep.join([str(without.parent), os.environ["PYTHONPATH"]])
    done = subprocess.run(
        command("sweep", str(path), "--cluster", "auto"),
        capture_output=True, text=True, env={**os.environ, "PYTHONPATH": found},
    )  # fmt: skip
    line = "sweep: a cluster needs Ray; `make setup EXTRA=scale` installs it\n"
    assert (done.returncode, done.stderr) == (1, line)
