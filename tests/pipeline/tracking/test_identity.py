"""What a run is called, and the tags that lead back to its commit and its workspace."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.tracking import identity

PARAMETERS = {"model": "tiny_cnn", "dataset": "/home/someone/photos.zip", "dropout": [0.1, 0.8]}


def git(*arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    done = subprocess.run(
        ["git", *identity, *arguments], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def repository(workspace: Path) -> str:
    """A repository with one commit; its id."""
    Path("stages").mkdir()
    Path("stages/train.py").write_text("one\n")
    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "one")
    return git("rev-parse", "HEAD")


def test_the_name_is_the_experiments_or_tells_model_and_data(workspace, monkeypatch):
    name = identity.run_name(PARAMETERS)
    assert name == f"tiny_cnn · photos.zip · {identity.parameters_digest(PARAMETERS)[:7]}"
    monkeypatch.setenv("DVC_EXP_NAME", "fancy-lamb")
    assert identity.run_name(PARAMETERS) == "fancy-lamb"


def test_the_digest_does_not_depend_on_the_order():
    turned = dict(reversed(PARAMETERS.items()))
    assert identity.parameters_digest(turned) == identity.parameters_digest(PARAMETERS)
    other = {**PARAMETERS, "dropout": [0.1, 0.7]}
    assert identity.parameters_digest(other) != identity.parameters_digest(PARAMETERS)


def test_parameters_are_spelled_as_in_params_yaml():
    values = [True, None, 0.8, [0.1, 0.8], 1e-05, "adam", 12]
    spelled = [identity.parameter_value(value) for value in values]
    assert spelled == ["true", "null", "0.8", "[0.1, 0.8]", "1e-05", "adam", "12"]


def test_the_commit_is_dirty_only_where_the_code_differs(repository):
    assert identity.git_commit() == repository
    Path("params.yaml").write_text("changed: by a run\n")
    assert identity.git_commit() == repository
    Path("stages/train.py").write_text("two\n")
    assert identity.git_commit() == f"{repository}+dirty"


def test_outside_git_there_is_no_commit(workspace, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(workspace.parent))
    assert identity.git_commit() == ""
    assert "git_commit" not in identity.origin_tags()


def test_git_leaves_the_index_alone(repository):
    index = Path(".git/index")
    os.utime("stages/train.py", (1, 1))  # `git status` would write the new time to the index
    before = index.read_bytes()
    identity.git_commit()
    assert index.read_bytes() == before


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        (".", "workspace"),
        (".state/sweeps/example/worker-0", "sweep"),
        (".dvc/tmp/exps/standalone/tmpabc", "temp"),
        (".dvc/tmp/exps/tmpabc", "queue"),
    ],
)
def test_the_kind_of_workspace(workspace, monkeypatch, folder, kind):
    (workspace / folder).mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(workspace / folder)
    assert identity.workspace_kind() == kind


def test_an_experiment_says_how_to_bring_it_back(workspace, monkeypatch):
    assert "dvc_experiment" not in identity.origin_tags()
    monkeypatch.setenv("DVC_EXP_NAME", "fancy-lamb")
    monkeypatch.setenv("DVC_EXP_BASELINE_REV", "abc")
    tags = identity.origin_tags()
    assert (tags["dvc_experiment"], tags["dvc_baseline"]) == ("fancy-lamb", "abc")
    assert "dvc exp apply fancy-lamb" in tags["mlflow.note.content"]


def test_a_process_lives_until_it_is_killed_even_before_it_is_waited_for():
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    import psutil

    start = str(psutil.Process(process.pid).create_time())
    assert identity.is_alive(str(process.pid), start)
    assert not identity.is_alive(str(process.pid), str(float(start) - 60))  # the id was used again
    process.kill()
    psutil.Process(process.pid).status()
    while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE:
        pass
    assert not identity.is_alive(str(process.pid), start)
    process.wait()
    assert not identity.is_alive(str(process.pid), start)
    assert not identity.is_alive("", "")
