"""`python -m tools.serve`: the server on 127.0.0.1, the printed curl line, and its end."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from pipeline.errors import PipelineError
from tests.tools.comparison.recording import track
from tests.tools.serving.training import encoded, picture, record, write_model
from tools import predict, register, serve

COMMAND = [sys.executable, "-m", "tools.serve"]


@pytest.fixture
def tracked(workspace, tmp_path_factory, monkeypatch) -> Path:
    return track(workspace, tmp_path_factory, monkeypatch)


def ask(line: str) -> dict:
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def server(tracked) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """The running process and the lines that it printed."""
    write_model()
    record([0.5])
    register.main([])
    process = subprocess.Popen(
        COMMAND, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ}
    )
    assert process.stdout is not None
    yield process, [process.stdout.readline().rstrip("\n") for _ in range(3)]
    if process.poll() is None:
        process.terminate()
        process.wait(timeout=200)


@pytest.mark.slow
def test_the_printed_line_sends_a_jpeg_and_gets_the_class(server, capsys):
    if not shutil.which("curl"):
        pytest.skip("needs curl (Debian's package curl)")
    process, (where, line, end) = server
    assert where.startswith("serve: bars version 1 answers at http://127.0.0.1:")
    assert end == "serve: Ctrl-C ends it"
    Path("photo.jpg").write_bytes(encoded(picture(4, "RGB", 40), "JPEG"))
    curl = line.removeprefix("serve: ")
    (answer,) = ask(curl)["predictions"]
    capsys.readouterr()
    assert predict.main(["photo.jpg", "--json", "--top", "3"]) == 0
    expected = json.loads(capsys.readouterr().out)
    assert answer["class"] == expected["class"]
    for one in expected["top"]:
        np.testing.assert_allclose(answer[f"p_{one['class']}"], one["probability"], atol=1e-5)

    Path("photo.jpg").write_text("hello")
    refused = ask(curl)
    assert refused["error_code"] == "INVALID_PARAMETER_VALUE"
    assert "image 0: not an image of a known format" in refused["message"]

    below = psutil.Process(process.pid).children(recursive=True)
    listening = [c.laddr.ip for p in below for c in p.net_connections() if c.status == "LISTEN"]
    assert listening
    assert set(listening) == {"127.0.0.1"}
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=200)
    assert (process.returncode, out) == (0, "serve: ended\n")
    assert not [p for p in below if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


def test_nothing_is_registered(tracked):
    write_model()
    with pytest.raises(PipelineError, match=r"^bars: no model of this data set is registered; `py"):
        serve.main([])
    Path("data/prepared/dataset.json").unlink()
    with pytest.raises(PipelineError, match=r"^--dataset: name a data set; none that are registe"):
        serve.main([])


def test_a_port_in_use(workspace):
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        done = subprocess.run([*COMMAND, "--port", str(port)], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == f"serve: --port: {port}: Address already in use; leave it out\n"


@pytest.mark.parametrize("port", ["70000", "-1"])
def test_no_port(workspace, port):
    with pytest.raises(PipelineError, match=rf"^--port: {port}: expected 1 to 65535$"):
        serve.main(["--port", port])


def test_a_server_that_ends_by_itself_is_one_line(workspace):
    from tools import server

    command = [sys.executable, "-c", "import sys; sys.exit('no such model')"]
    with pytest.raises(PipelineError, match=r"^the server ended: no such model$"):
        server.serve(command, {}, "http://127.0.0.1:9/ping", lambda: None)
