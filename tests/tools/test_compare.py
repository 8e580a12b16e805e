"""`python -m tools.compare`: the page, two runs in the shell, and stores that cannot be read."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from tests.tools.comparison.recording import outcome, record, track, write_reports
from tests.tools.experiments.support import run
from tools import compare
from tools.runs import experiments

PAGE = Path("reports/experiments.html")


@pytest.fixture
def tracked(workspace, tmp_path_factory, monkeypatch) -> Path:
    return track(workspace, tmp_path_factory, monkeypatch)


def recorded(monkeypatch, name: str, share: float, seed: int, **changes) -> str:
    monkeypatch.setenv("DVC_EXP_NAME", name)
    return record(outcome(share, seed), seed=seed, **changes)


def test_all_runs_stand_in_the_page(tracked, monkeypatch, capsys):
    recorded(monkeypatch, "good", 0.9, 1)
    recorded(monkeypatch, "bad", 0.5, 2)
    monkeypatch.delenv("DVC_EXP_NAME")
    record(None)
    compare.main([])
    assert capsys.readouterr().out.endswith(f"compare: 3 experiments in {PAGE}\n")
    text = PAGE.read_text()
    assert text.count('"id":') == 3
    assert "train: no room on the disk" in text
    assert not list(PAGE.parent.glob(".*partial*"))


def test_two_runs_in_the_shell(tracked, monkeypatch, capsys):
    recorded(monkeypatch, "good", 0.9, 1)
    recorded(monkeypatch, "again", 0.8, 2)
    recorded(monkeypatch, "bad", 0.5, 1, dropout=[0.8])
    recorded(monkeypatch, "other", 0.5, 1, split_seed=7, data="sha256:two")
    capsys.readouterr()
    compare.main(["good", "bad"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["dropout", "[]", "[0.8]"]
    assert (
        lines[2]
        == "  A good: test accuracy over seeds 0.8500 ± 0.0707 (2), 95% interval 0.2147 to 1.0000"
    )
    assert lines[3] == "  B bad: test accuracy over seeds 0.5000 (1)"
    assert "B is -40.00 points" in lines[4]
    assert lines[4].endswith("(McNemar): more than chance")
    compare.main(["good", "other"])
    assert capsys.readouterr().out.splitlines()[-1] == (
        "  no test of the difference: they were trained and scored on other data (another split_seed)"
    )


def test_one_name_is_none_too_few(tracked, capsys):
    with pytest.raises(SystemExit):
        compare.main(["good"])
    assert "name two runs, or none" in capsys.readouterr().err


def test_a_run_that_is_not_there(tracked, monkeypatch):
    recorded(monkeypatch, "good", 0.9, 1)
    with pytest.raises(PipelineError, match=r"^goods: no such run; did you mean good\?$"):
        compare.main(["good", "goods"])


def test_nothing_recorded_yet(workspace):
    done = run("compare")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert done.stderr.endswith("mlflow.db: there is no run yet; `make repro` makes the first\n")
    assert not PAGE.exists()
    assert not Path("mlflow.db").exists()


def test_an_empty_store(tracked):
    with pytest.raises(PipelineError, match=r"^there is no run yet; `make repro` makes the first$"):
        compare.main([])


def test_a_server_out_of_reach(workspace, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    done = run("compare")
    assert done.returncode == 1
    assert done.stderr == (
        "compare: http://127.0.0.1:9: Connection refused; start that server, or unset "
        "MLFLOW_TRACKING_URI to record in mlflow.db here\n"
    )


def test_a_store_of_an_older_mlflow(tracked, monkeypatch):
    with closing(sqlite3.connect("mlflow.db")) as database, database:
        database.execute("UPDATE alembic_version SET version_num = 'old'")
    with pytest.raises(PipelineError) as caught:
        compare.main([])
    (line,) = str(caught.value).splitlines()
    assert "written by another version of MLflow (schema old" in line
    assert "mlflow db upgrade sqlite:///" in line


def test_without_mlflow_the_page_is_of_dvc_alone(workspace, monkeypatch, capsys):
    """An experiment in Git; MLflow's server is out of reach."""
    write_reports(outcome(0.7, 1))
    Path("data/params").mkdir(parents=True)
    Path("data/params/report.json").write_text('{"seed": 1}')
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for arguments in (["init", "-q"], ["add", "-Af", "."], ["commit", "-qm", "x"]):
        subprocess.run([*git, *arguments], check=True)
    subprocess.run([sys.executable, "-m", "dvc", "init", "-q"], check=True)
    commit = subprocess.check_output([*git, "rev-parse", "HEAD"], text=True).strip()
    ref = f"refs/exps/{commit[:2]}/{commit[2:]}/warm-colt"
    subprocess.run([*git, "update-ref", ref, commit], check=True)
    assert [one.name for one in experiments.list_experiments()] == ["warm-colt"]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    compare.main([])
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith(
        "compare: without MLflow's runs: http://127.0.0.1:9: Connection refused"
    )
    assert out[1] == f"compare: 1 experiment in {PAGE}"
    assert "This page is without MLflow" in PAGE.read_text()
    assert '"name":"warm-colt"' in PAGE.read_text()
