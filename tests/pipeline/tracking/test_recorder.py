"""The recorder: a process of its own that keeps a stage's record, and how each end survives the other."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from pipeline.tracking import runs

BEGIN = """
import os, signal, sys
from pathlib import Path
from pipeline.tracking import recorder
recorder.open_early()
"""
STARTED = """
record = recorder.start_run({"model": "tiny_cnn", "dataset": "digits"}, {"data_digest": "x"})
print(record.run_id, recorder._recorder()._process.pid, flush=True)
"""


def stage(program: str, **environment: str) -> subprocess.Popen[str]:
    root = str(Path(runs.__file__).parents[2])
    return subprocess.Popen(
        [sys.executable, "-c", BEGIN + program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
        env=os.environ | {"PYTHONPATH": root} | environment,
    )


def finished(program: str, **environment: str) -> str:
    process = stage(program, **environment)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (0, "")
    return out


def ends(pid: int, seconds: float = 20) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if not psutil.pid_exists(pid):
            return True
        time.sleep(0.05)
    return False


def test_the_run_is_the_stages(client):
    Path("scores.json").write_text("{}")
    out = finished(
        STARTED
        + """
for name in ("mlflow", "sqlalchemy", "psutil"):
    assert name not in sys.modules, name
record.log_epoch(1, {"loss": 0.5})
record.log_metrics({"test_accuracy": 0.75})
record.log_tags({"model_digest": "abc"})
record.log_artifact(Path("scores.json"))
record.finish()
print(recorder.known_scores("abc", "x"), os.getpid())
"""
    )
    first, last = out.splitlines()
    run = client.get_run(first.split()[0])
    assert run.info.status == "FINISHED"
    assert run.data.params["model"] == "tiny_cnn"
    assert run.data.metrics == {"loss": 0.5, "test_accuracy": 0.75}
    assert [entry.path for entry in client.list_artifacts(run.info.run_id)] == ["scores.json"]
    assert last == f"{{'test_accuracy': 0.75}} {run.data.tags['pid']}"


def test_the_run_of_a_model_goes_on(client):
    known = runs.start_run({"model": "tiny_cnn"}, {"model_digest": "abc"})
    known.finish()
    out = finished(
        """
record = recorder.attach_run("abc")
record.log_metrics({"test_accuracy": 0.5})
record.finish()
print(record.run_id)
"""
    )
    assert out.strip() == known.run_id
    assert client.get_run(known.run_id).data.metrics == {"test_accuracy": 0.5}


def test_a_failure_is_recorded(client):
    out = finished(STARTED + 'recorder.record_failure("train", "no room on the disk")')
    run = client.get_run(out.split()[0])
    assert run.info.status == "FAILED"
    assert run.data.tags["failure"] == "no room on the disk"
    assert run.data.tags["failed_stage"] == "train"


def test_a_store_that_cannot_be_used_is_one_line_of_the_stages(new_process):
    out = finished(
        """
record = recorder.start_run({}, {})
record.log_epoch(1, {"loss": 0.5})
record.log_artifact(Path(sys.executable))
record.finish()
print(record.run_id, recorder.known_scores("a", "b"))
""",
        MLFLOW_TRACKING_URI="http://127.0.0.1:9",
    )
    lines = out.splitlines()
    assert lines[0].startswith("mlflow: this run is not recorded: http://127.0.0.1:9: ")
    assert lines[1:] == ["None {}"]


def test_an_artifact_that_is_not_there_is_the_stages_error(tracked):
    process = stage(STARTED + 'record.log_artifact(Path("nowhere.png"))')
    _, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "FileNotFoundError: nowhere.png: no such file to record" in err


def test_a_killed_recorder_costs_a_line(tracked):
    out = finished(
        STARTED
        + """
os.kill(recorder._recorder()._process.pid, signal.SIGKILL)
record.log_epoch(1, {"loss": 0.5})
record.log_epoch(2, {"loss": 0.5})
record.finish()
recorder.record_failure("train", "x")
print("done")
"""
    )
    assert out.splitlines()[1:] == [
        "mlflow: recording ends here: its process is gone; the run continues without it",
        "done",
    ]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_it_ends_when_the_stage_is_killed(tracked, how):
    process = stage(STARTED + "sys.stdin.readline()")
    assert process.stdout is not None
    pid = int(process.stdout.readline().split()[1])
    assert psutil.pid_exists(pid)
    process.send_signal(how)
    process.wait(timeout=20)
    assert ends(pid)
    process.communicate()


def test_ctrl_c_is_the_stages_alone(client):
    out = finished(
        STARTED
        + """
signal.signal(signal.SIGINT, lambda *_: None)
os.killpg(os.getpgrp(), signal.SIGINT)
record.log_epoch(1, {"loss": 0.5})
"""
    )
    assert client.get_run(out.split()[0]).data.metrics == {"loss": 0.5}


def test_a_bug_in_it_is_not_silent(tracked):
    process = stage(STARTED + 'recorder._recorder().ask("no_such_function")')
    _, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "RuntimeError: the recorder failed:" in err
    assert "no_such_function" in err


def test_it_does_not_import_a_backend():
    program = "import sys, pipeline.tracking.worker, mlflow, mlflow.pyfunc; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert not {"tensorflow", "jax", "torch", "keras"} & set(done.stdout.split())
