"""`python -m tools.serve`: from the registered model to the answers, and its end."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from pipeline.errors import PipelineError
from tests.tools.comparison.recording import track
from tests.tools.serving.training import (
    encoded,
    odd_picture,
    picture,
    record,
    write_model,
    write_reference,
)
from tools import predict, register, serve

COMMAND = [sys.executable, "-m", "tools.serve"]


@pytest.fixture
def tracked(workspace, tmp_path_factory, monkeypatch) -> Path:
    return track(workspace, tmp_path_factory, monkeypatch)


def ask(line: str) -> dict:
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@contextmanager
def started(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """The running process and the lines that it printed."""
    process = subprocess.Popen(
        [*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ},
    )  # fmt: skip
    assert process.stdout is not None
    try:
        lines = [process.stdout.readline().rstrip("\n")]
        while lines[-1] and lines[-1] != "serve: Ctrl-C ends it":
            lines.append(process.stdout.readline().rstrip("\n"))
        yield process, lines
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(timeout=200)


def expected(capsys, *arguments: str) -> dict[str, float]:
    """The probabilities that `tools.predict` gives."""
    capsys.readouterr()
    assert predict.main(["photo.jpg", "--json", "--top", "3", *arguments]) == 0
    top = json.loads(capsys.readouterr().out)["top"]
    return {f"p_{one['class']}": one["probability"] for one in top}


@pytest.mark.slow
def test_the_printed_line_sends_a_jpeg_and_gets_the_class(tracked, capsys):
    if not shutil.which("curl"):
        pytest.skip("needs curl (Debian's package curl)")
    write_model(channels=3)
    record([0.5])
    register.main([])
    Path("photo.jpg").write_bytes(encoded(picture(4, "RGB", 40), "JPEG"))
    wanted = expected(capsys, "--best")
    with started() as (process, (where, line, how, end)):
        assert where.startswith("serve: bars version 1 answers at http://127.0.0.1:")
        assert how.partition(",")[2].startswith(" ONNX Runtime, which agrees with Keras to ")
        assert end == "serve: Ctrl-C ends it"
        curl = line.removeprefix("serve: ")
        (answer,) = ask(curl)["predictions"]
        for name, probability in wanted.items():
            np.testing.assert_allclose(answer[name], probability, atol=1e-5)
        address = where.split()[-1]
        mlflow_line = (
            """printf '{"dataframe_records":[{"image":"%s"}]}' "$(base64 < photo.jpg)" | """
            f"tr -d '\\n' | curl -s {address} -H 'Content-Type: application/json' -d @-"
        )
        assert ask(mlflow_line)["predictions"] == [answer]

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


@pytest.mark.slow
@pytest.mark.parametrize("classes", [["cat", "dog", "ox"], ["cat", "dog"]])
def test_keras_and_onnx_give_the_same(tracked, capsys, classes):
    model = write_model(channels=3, classes=classes)
    usual = np.stack([np.asarray(picture(i, "RGB")) for i in range(40)])
    write_reference(model, usual, np.arange(40) % len(classes))
    run_id = record([0.5], classes=classes)
    Path("photo.jpg").write_bytes(encoded(picture(4, "RGB", 40), "JPEG"))
    wanted = expected(capsys, "--run", run_id)
    for engine in ((), ("--keras",)):
        with started("--run", run_id, "--workers", "1", *engine) as (process, lines):
            address = lines[0].split()[-1]
            request = urllib.request.Request(
                address, Path("photo.jpg").read_bytes(), {"Content-Type": "image/jpeg"}
            )
            with urllib.request.urlopen(request, timeout=200) as given:
                (answer,) = json.load(given)["predictions"]
            request.data = encoded(Image.fromarray(odd_picture(3)))
            with urllib.request.urlopen(request, timeout=200) as given:
                (odd,) = json.load(given)["predictions"]
            assert (answer["unlike_training"], odd["unlike_training"]) == (False, True)
            with urllib.request.urlopen(
                address.replace("invocations", "version"), timeout=60
            ) as given:
                version = json.load(given)
            if not engine:  # workers end with a server that is killed
                below = psutil.Process(process.pid).children(recursive=True)
                process.kill()
                assert below
                assert not psutil.wait_procs(below, timeout=20)[1]
        assert version["run_id"] == run_id
        assert version["engine"].startswith("keras" if engine else "onnxruntime")
        for name, probability in wanted.items():
            np.testing.assert_allclose(answer[name], probability, atol=1e-5)


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


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--port", "70000"], r"^--port: 70000: expected 1 to 65535$"),
        (["--port", "-1"], r"^--port: -1: expected 1 to 65535$"),
        (["--host", "192.0.2.1"], r"^--host: 192.0.2.1: Cannot assign requested address$"),
        (["--host", "no host"], r"^--host: no host: "),
        (["--token-file", "none"], r"^--token-file: none: No such file or directory$"),
        (["--token-file", "empty"], r"^--token-file: empty: empty; write a token"),
    ],
)
def test_what_cannot_be_started(workspace, arguments, says):
    Path("empty").write_text("\n")
    with pytest.raises(PipelineError, match=says):
        serve.main(arguments)


def test_a_server_that_ends_by_itself_is_one_line(workspace):
    from tools import server

    command = [sys.executable, "-c", "import sys; sys.exit('no such model')"]
    with pytest.raises(PipelineError, match=r"^the server ended: no such model$"):
        server.serve(command, {}, "http://127.0.0.1:9/ping", lambda: None)
