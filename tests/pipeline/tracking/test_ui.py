"""`make ui`: the server on 127.0.0.1, recording through it, and what is left when it ends."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from pipeline.tracking import record_failure, start_run

PARAMETERS = {"model": "tiny_cnn", "dataset": "digits"}
COMMAND = [sys.executable, "-m", "tools.ui"]


def ask(address: str, path: str) -> dict:
    with urllib.request.urlopen(f"{address}/api/2.0/mlflow/{path}", timeout=10) as answer:
        return json.load(answer)


@pytest.fixture
def server(tracked: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The running process and the address that it printed."""
    process = subprocess.Popen(
        COMMAND, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ}
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert process.stdout.readline() == "ui: Ctrl-C ends it\n"
    yield process, line.removeprefix("ui: ").strip()
    if process.poll() is None:
        process.terminate()
        process.wait(timeout=200)


def test_the_pages_recording_through_them_and_their_end(server, tracked, monkeypatch, capfd):
    process, page = server
    address, _, view = page.partition("/#/")
    assert view == "experiments/1/runs?workflowType=machine_learning&viewStateShareKey=pipeline"
    below = psutil.Process(process.pid).children(recursive=True)
    listening = [c.laddr for p in below for c in p.net_connections() if c.status == "LISTEN"]
    assert {place.ip for place in listening} == {"127.0.0.1"}
    experiment = ask(address, "experiments/get?experiment_id=1")["experiment"]
    tags = {tag["key"]: tag["value"] for tag in experiment["tags"]}
    assert (
        "metrics.`test_accuracy`"
        in json.loads(tags["mlflow.sharedViewState.pipeline"])["selectedColumns"]
    )

    # The same record, through the server: files are kept by it too.
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "through-the-server")
    record = start_run(PARAMETERS, {"data_digest": "x"})
    record.log_epoch(1, {"loss": 0.5})
    record.log_artifact("params.yaml")
    run = ask(address, f"runs/get?run_id={record.run_id}")["run"]
    assert run["info"]["status"] == "RUNNING"
    assert run["data"]["metrics"][0]["value"] == 0.5
    kept = [path.name for path in (tracked / "mlartifacts").rglob("*.yaml")]
    assert kept == ["params.yaml"]

    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=200)
    assert process.returncode == 0
    assert out == "ui: ended\n"
    assert not [p for p in below if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]

    # A server that is gone in the middle of a training costs a line and some seconds.
    start = time.monotonic()
    record.log_epoch(2, {"loss": 0.25})
    record.log_tags({"a": "b"})
    record_failure("train", "no")
    assert time.monotonic() - start < 5
    out, err = capfd.readouterr()
    assert err == ""
    assert out == f"mlflow: not recorded for now: {out[30:].partition(';')[0]}; the run continues\n"
    assert "Connection refused" in out


def ui(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=500)


def test_a_port_in_use(new_process):
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        done = ui("--port", str(port))
    assert done.returncode == 1
    assert done.stderr == f"ui: --port: {port}: Address already in use; leave it out\n"


@pytest.mark.parametrize("port", ["70000", "-1"])
def test_no_port(new_process, port):
    done = ui("--port", port)
    assert done.stderr == f"ui: --port: {port}: expected 1 to 65535\n"
    assert not (new_process / "mlflow.db").exists()


def test_a_store_that_cannot_be_shown(new_process):
    (new_process / "mlflow.db").write_text("hello\n" * 1000)
    done = ui()
    assert done.returncode == 1
    assert done.stderr.endswith(
        "mlflow.db: file is not a database; move the file away, and the next run makes a new one\n"
    )
    assert done.stderr.count("\n") == 1


def test_a_server_has_its_own_pages(new_process, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://someone:secret@example.org")
    done = ui()
    assert done.stdout == "ui: the runs are kept by a server: open https://example.org\n"
