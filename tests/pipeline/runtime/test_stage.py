"""A stage as a process: its line, its exit status, its timing, for every way to end."""

import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.runtime import files, paths

pytestmark = pytest.mark.usefixtures("workspace")

PROGRAM = """
import errno, os, resource, signal, sys, time
from pathlib import Path
from pipeline.errors import PipelineError
from pipeline.runtime import files
from pipeline.runtime.stage import run_stage
def main():
    {body}
run_stage("demo", main, "What it does.", {hook})
"""


def run(body: str, hook: str = "None") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM.format(body=body, hook=hook)], capture_output=True, text=True
    )


def test_success_leaves_the_wall_time():
    assert run("pass").returncode == 0
    assert files.read_json(paths.TIMINGS / "demo.json")["demo_seconds"] >= 0


def test_an_error_of_the_users_is_one_line():
    result = run("raise PipelineError('epochs: too many')")
    assert (result.returncode, result.stderr) == (1, "demo: epochs: too many\n")
    assert not paths.TIMINGS.exists()


def test_a_bug_keeps_its_traceback():
    result = run("raise ValueError('oops')")
    assert result.returncode == 1
    assert "Traceback" in result.stderr


def test_interrupted_and_terminated_say_how_to_go_on():
    result = run("os.kill(os.getpid(), signal.SIGINT); time.sleep(5)")
    assert (result.returncode, result.stderr) == (
        130,
        "demo: interrupted; `dvc repro` resumes from here\n",
    )
    result = run("os.kill(os.getpid(), signal.SIGTERM); time.sleep(5)")
    assert (result.returncode, result.stderr) == (
        143,
        "demo: terminated; `dvc repro` resumes from here\n",
    )


def test_a_full_disk_is_one_line_and_keeps_the_old_file():
    Path("out.txt").write_text("old")
    result = run(
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)); "
        "files.write_text(Path('out.txt'), 'x' * 5000)"
    )
    assert result.returncode == 1
    assert result.stderr.startswith("demo: no room on the disk")
    assert result.stderr.endswith("make room and run `dvc repro` again\n")
    assert Path("out.txt").read_text() == "old"
    assert sorted(path.name for path in Path().iterdir()) == ["out.txt", "params.yaml"]


def test_the_failure_is_recorded_and_its_record_cannot_hide_it():
    result = run("raise PipelineError('a')", "lambda *a: print('recorded', *a)")
    assert result.stdout == "recorded demo a\n"
    result = run("raise PipelineError('a')", "lambda *a: 1 / 0")
    assert result.returncode == 1
    assert result.stderr.startswith("demo: a\n")
    assert "Traceback" not in result.stderr


def test_an_unknown_argument_is_refused():
    program = PROGRAM.format(body="pass", hook="None")
    result = subprocess.run(
        [sys.executable, "-c", program, "--epochs", "3"], capture_output=True, text=True
    )
    assert result.returncode == 2
