"""Keras' file over a connection that works, breaks, stalls, or gives something else."""

import hashlib
import socket
import time

import pytest
import requests

from pipeline.errors import PipelineError
from pipeline.pretrained import keras_file
from tests.pipeline.pretrained.support import giving, serving

CONTENT = b"weights " * 10_000
MD5 = hashlib.md5(CONTENT).hexdigest()


def refusal(address, folder) -> str:
    with pytest.raises(PipelineError) as error:
        keras_file.download(address, MD5, folder)
    assert "\n" not in str(error.value)
    assert [path for path in folder.iterdir() if path.name == "a.h5"] == []
    return str(error.value).replace(address.split("/")[2], "HOST")


def test_it_comes_whole(tmp_path):
    with serving(giving(CONTENT)) as server:
        path = keras_file.download(f"{server}a.h5", MD5, tmp_path)
    assert path.read_bytes() == CONTENT


def test_other_bytes_are_refused(tmp_path):
    with serving(giving(CONTENT[1:])) as server:
        line = refusal(f"{server}a.h5", tmp_path)
    assert line == "a.h5 from HOST: another MD5 than it should have"


def test_a_connection_that_breaks(tmp_path):
    with serving(giving(CONTENT, length=len(CONTENT) + 1)) as server:
        assert refusal(f"{server}a.h5", tmp_path) == "a.h5 from HOST: the connection broke"


def test_a_refusal(tmp_path):
    with serving(lambda handler: handler.send_error(404)) as server:
        assert refusal(f"{server}a.h5", tmp_path) == "a.h5 from HOST: 404 Not Found"


def test_redirects_without_end(tmp_path):
    def answer(handler):
        handler.send_response(302)
        handler.send_header("Location", handler.path)
        handler.end_headers()

    with serving(answer) as server:
        assert refusal(f"{server}a.h5", tmp_path) == "a.h5 from HOST: redirects without end"


def test_a_closed_port(tmp_path):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}/a.h5"
        assert refusal(address, tmp_path) == "a.h5 from HOST: no connection"


def test_a_server_that_never_answers_is_left_after_the_time_for_connecting(tmp_path, monkeypatch):
    monkeypatch.setattr(keras_file, "CONNECT_SECONDS", 0.3)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        start = time.monotonic()
        line = refusal(f"http://127.0.0.1:{silent.getsockname()[1]}/a.h5", tmp_path)
    assert line == "a.h5 from HOST: no answer within 0.3 s"
    assert time.monotonic() - start < 5


def test_a_look_up_that_takes_too_long_is_left(tmp_path, monkeypatch):
    """The timeout of `requests` bounds neither the look-up nor all of a name's addresses."""
    monkeypatch.setattr(keras_file, "CONNECT_SECONDS", 0.3)
    monkeypatch.setattr(requests, "head", lambda *_, **__: time.sleep(10))
    start = time.monotonic()
    assert refusal("http://127.0.0.1:1/a.h5", tmp_path) == "a.h5 from HOST: no answer within 0.3 s"
    assert time.monotonic() - start < 5


def test_ten_seconds_to_connect_are_the_most():
    assert keras_file.CONNECT_SECONDS <= 10


def test_the_mirror_comes_first_and_no_password_is_shown(monkeypatch):
    monkeypatch.setenv("IMAGE_PIPELINE_MIRROR", "https://me:secret@mirror.example/data/")
    found = keras_file.addresses("a.h5", "https://keras.example/vgg16/")
    assert [keras_file.shown(address) for address in found] == [
        "a.h5 from mirror.example",
        "a.h5 from mirror.example",
        "a.h5 from keras.example",
    ]
    assert found[0] == "https://me:secret@mirror.example/data/vgg16/a.h5"


def test_where_keras_keeps_it(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert keras_file.cached("a.h5") == tmp_path / "models" / "a.h5"
    monkeypatch.delenv("KERAS_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert keras_file.cached("a.h5") == tmp_path / ".keras" / "models" / "a.h5"
