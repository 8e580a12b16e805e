"""What a killed dvc leaves broken of its own, and what is left alone."""

import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from tests.repository import plain_environment
from tools import repair

RUNNING = '{"read": {}, "write": {}}'


@pytest.fixture
def repository(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    repair.LOCK.parent.mkdir(parents=True)
    for command in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "empty"]):
        subprocess.run(["git", *command], check=True, env=plain_environment())
    return tmp_path


@pytest.mark.parametrize("left", ["", '{"read": {', "[]"])
def test_half_a_lock_is_removed(repository, capsys, left):
    repair.LOCK.write_text(left)
    repair.main()
    assert not repair.LOCK.exists()
    assert capsys.readouterr().out == (
        "repro: removed .dvc/tmp/rwlock, which a dvc that was killed left broken\n"
    )


def test_a_whole_lock_stays(repository, capsys):
    repair.LOCK.write_text(RUNNING)
    repair.main()
    assert repair.LOCK.read_text() == RUNNING
    assert capsys.readouterr().out == ""


def test_a_lock_that_is_being_written_stays(repository, capsys):
    repair.LOCK.write_text("")
    code = (
        "from zc.lockfile import LockFile\n"
        f"guard = LockFile({str(repair.GUARD)!r}); print('held', flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout.readline() == "held\n"
        repair.main()
        other.communicate("\n")
    assert repair.LOCK.exists()
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "left",
    ["schema: '2.0'\nstages:\n", "schema: '2.0'\nstages:\n  params:\n    cmd: p\n    deps:\n", "sch", "a: [", b"\xff"],
)  # fmt: skip
def test_half_a_dvc_lock_is_removed(repository, capsys, left):
    repair.LOCK_FILE.write_bytes(left if isinstance(left, bytes) else left.encode())
    repair.main()
    assert not repair.LOCK_FILE.exists()
    assert "removed dvc.lock" in capsys.readouterr().out


def test_what_dvc_wrote_whole_stays(repository, capsys):
    whole = "schema: '2.0'\nstages:\n  params:\n    cmd: python -m stages.params\n"
    repair.LOCK_FILE.write_text(whole)
    repair.main()
    assert repair.LOCK_FILE.read_text() == whole
    assert capsys.readouterr().out == ""


def test_a_bucket_without_its_package_is_one_line(repository, monkeypatch):
    """DVC's own line comes before any stage runs, and names no command."""
    Path("params.yaml").write_text("model: tiny_cnn\ndataset: s3://lake/photos  # ours\n")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(PipelineError, match="s3fs is not installed; type `make setup EXTRA=team`"):
        repair.main()
