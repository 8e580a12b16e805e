"""A file over a connection that works, breaks, stalls, or gives something else."""

import hashlib
import io
import logging
import socket
import time
from types import SimpleNamespace

import pooch
import pytest
import requests

from pipeline.errors import PipelineError
from pipeline.runtime import downloader
from tests.pipeline.pretrained.support import giving, serving

CONTENT = b"weights " * 10_000
MD5 = hashlib.md5(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    """pooch waits 1 and 2 seconds before its retries."""
    monkeypatch.setattr("pooch.core.time", SimpleNamespace(sleep=lambda seconds: None))


def fetch(address, folder):
    path = folder / "a.h5"
    downloader.download(address, MD5, path, folder / "parts" / "a.h5.part", timeout=5)
    return path


def refusal(address, folder) -> str:
    with pytest.raises(PipelineError) as error:
        fetch(address, folder)
    assert "\n" not in str(error.value)
    assert [path for path in folder.iterdir() if path.name == "a.h5"] == []
    return str(error.value).replace(address.split("/")[2], "HOST")


def test_it_comes_whole(tmp_path):
    with serving(giving(CONTENT)) as server:
        assert fetch(f"{server}a.h5", tmp_path).read_bytes() == CONTENT


def test_what_a_killed_download_left_is_gone_on_with(tmp_path):
    part = tmp_path / "parts" / "a.h5.part"
    part.parent.mkdir()
    part.write_bytes(CONTENT[:1000])
    asked = []

    def answer(handler):
        asked.append(handler.headers.get("Range"))
        handler.send_response(206)
        handler.send_header("Content-Length", str(len(CONTENT) - 1000))
        handler.end_headers()
        handler.wfile.write(CONTENT[1000:])

    with serving(answer) as server:
        assert fetch(f"{server}a.h5", tmp_path).read_bytes() == CONTENT
    assert asked == ["bytes=1000-"]


def test_other_bytes_are_refused(tmp_path):
    with serving(giving(CONTENT[1:])) as server:
        line = refusal(f"{server}a.h5", tmp_path)
    assert line == "http://HOST/a.h5: another digest than it should have"


def test_a_connection_that_breaks(tmp_path):
    with serving(giving(CONTENT, length=len(CONTENT) + 1)) as server:
        assert refusal(f"{server}a.h5", tmp_path) == "http://HOST/a.h5: the connection broke"


def test_a_refusal(tmp_path):
    with serving(lambda handler: handler.send_error(404)) as server:
        assert refusal(f"{server}a.h5", tmp_path) == "http://HOST/a.h5: 404 Not Found"


def test_redirects_without_end(tmp_path):
    def answer(handler):
        handler.send_response(302)
        handler.send_header("Location", handler.path)
        handler.end_headers()

    with serving(answer) as server:
        assert refusal(f"{server}a.h5", tmp_path) == "http://HOST/a.h5: redirects without end"


def test_a_closed_port(tmp_path):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}/a.h5"
        assert refusal(address, tmp_path) == "http://HOST/a.h5: no connection"


def test_a_server_that_never_answers_is_left_after_the_time_for_connecting(tmp_path, monkeypatch):
    monkeypatch.setattr(downloader, "ANSWER_SECONDS", 0.3)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        start = time.monotonic()
        line = refusal(f"http://127.0.0.1:{silent.getsockname()[1]}/a.h5", tmp_path)
    assert line == "http://HOST/a.h5: no answer within 0.3 s"
    assert time.monotonic() - start < 5


def test_a_look_up_that_takes_too_long_is_left(tmp_path, monkeypatch):
    """The timeout of `requests` bounds neither the look-up nor all of a name's addresses."""
    monkeypatch.setattr(downloader, "ANSWER_SECONDS", 0.3)
    monkeypatch.setattr(requests, "get", lambda *_, **__: time.sleep(10))
    start = time.monotonic()
    assert (
        refusal("http://127.0.0.1:1/a.h5", tmp_path) == "http://HOST/a.h5: no answer within 0.3 s"
    )
    assert time.monotonic() - start < 5


def test_ten_seconds_for_an_answer_are_the_most():
    assert downloader.ANSWER_SECONDS <= 10


def test_the_mirror_in_a_folder_and_without_one(monkeypatch):
    monkeypatch.delenv("IMAGE_PIPELINE_MIRROR", raising=False)
    assert downloader.mirrored("vgg16", "a.h5") == []
    monkeypatch.setenv("IMAGE_PIPELINE_MIRROR", "https://me:secret@mirror.example/data/")
    found = downloader.mirrored("vgg16", "a.h5")
    assert found == [
        "https://me:secret@mirror.example/data/vgg16/a.h5",
        "https://me:secret@mirror.example/data/a.h5",
    ]


def test_no_password_is_logged(tmp_path):
    """pooch's own lines have the whole address."""
    log, logger = io.StringIO(), pooch.get_logger()
    logger.setLevel("INFO")
    handler = logging.StreamHandler(log)
    logger.addHandler(handler)
    try:
        with serving(giving(CONTENT)) as server:
            fetch(server.replace("//", "//me:secret@") + "a.h5", tmp_path)
    finally:
        logger.removeHandler(handler)
    assert log.getvalue() == ""


def test_no_password_is_shown():
    address = "https://me:secret@mirror.example:8080/data/a.h5?token=secret#x"
    assert downloader.shown(address) == "https://mirror.example:8080/data/a.h5"
