"""Fetching from servers that fail: every way has its reason, and leaves nothing."""

import socket
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.runtime.paths import RAW
from tests.pipeline.datasets import server as faults
from tests.pipeline.datasets.conftest import Published
from tests.pipeline.datasets.official import md5
from tests.pipeline.datasets.pictures import download
from tests.pipeline.datasets.server import Server, serve
from tests.support import snapshot

IMAGES = "train-images-idx3-ubyte.gz"


@pytest.fixture
def patience(server: Server, fault: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    """One second where the server sends no more, for that is what is waited for."""
    if fault is faults.stalled:
        monkeypatch.setenv("IMAGE_PIPELINE_TIMEOUT", "1")


def failure(cache: Path, md5: str, *reasons: str) -> str:
    return (
        f"download: dataset: mnist: {IMAGES} could not be fetched ({'; '.join(reasons)}). Ways "
        f"out: a mirror's address in IMAGE_PIPELINE_MIRROR, the file itself (MD5 {md5}) at "
        f"{cache / 'mnist' / IMAGES} (or its contents in that folder, however packed), or a data set "
        "that needs no network (mnist_5k, digits)"
    )


@pytest.mark.usefixtures("patience")
@pytest.mark.parametrize(
    "fault", [faults.broken, faults.stalled, faults.truncated, faults.wrong, faults.unwell]
)
def test_two_failures_are_survived(
    server: Server, cache: Path, mnist: Published, fault: Callable
) -> None:
    serve(server, mnist.files)
    server.faults["mnist/" + IMAGES] = [fault, fault]
    assert download("mnist").status == 0
    assert np.load(RAW / "images.npy")[..., 0].tolist() == mnist.images.tolist()


@pytest.mark.usefixtures("patience")
@pytest.mark.parametrize("fault", [faults.broken, faults.stalled])
@pytest.mark.parametrize("ranges", [True, False])
def test_a_broken_download_goes_on_where_it_stood(
    server: Server, cache: Path, mnist: Published, fault: Callable, ranges: bool
) -> None:
    """Where the server can do that; where it cannot, from the start, and whole too."""
    serve(server, mnist.files)
    server.ranges = ranges
    server.faults["mnist/" + IMAGES] = [fault]
    assert download("mnist").status == 0
    half = len(mnist.files[IMAGES]) // 2
    assert server.requests[:2] == [
        (f"mnist/{IMAGES}", None),
        (f"mnist/{IMAGES}", f"bytes={half}-"),
    ]


@pytest.mark.usefixtures("patience")
@pytest.mark.parametrize(
    ("fault", "reason", "tries"),
    [
        (faults.broken, "the connection broke", 3),
        (faults.truncated, "another digest than it should have", 3),
        (faults.wrong, "another digest than it should have", 3),
        (faults.stalled, "no byte for 1 s", 3),
        (faults.unwell, "503 Service Unavailable", 3),
        (faults.web_page, "a web page (text/html) in place of the file", 1),
        (faults.in_circles, "redirects without end", 31),
        (faults.elsewhere, "an address that is neither http nor https", 1),
        (lambda handler, data: handler.send_error(403, "Forbidden"), "403 Forbidden", 1),
    ],
)
def test_a_failed_download_says_why_and_leaves_nothing(
    server: Server, cache: Path, mnist: Published, fault: Callable, reason: str, tries: int
) -> None:
    serve(server, mnist.files)
    server.faults["mnist/" + IMAGES] = [fault] * 99
    before = snapshot(Path.cwd())
    ended = download("mnist")
    first, second = (f"{server.address}/{folder}{IMAGES}" for folder in ("mnist/", ""))
    assert ended.error == [
        failure(cache, md5(mnist.files[IMAGES]), f"{first}: {reason}", f"{second}: 404 Not Found")
    ]
    assert ended.status == 1
    assert len(server.requests) == tries + 1
    added = set(snapshot(Path.cwd())) - set(before)
    assert not {path for path in added if "params" not in path and not path.endswith("data")} - {
        str(Path.cwd() / ".state")
    }
    assert list(cache.rglob("*")) == []


def test_a_server_that_dies(server: Server, cache: Path, mnist: Published) -> None:
    """Between two files: what has come is kept in the cache, and used the next time."""
    serve(server, mnist.files)
    second = "train-labels-idx1-ubyte.gz"

    def die(handler: object, data: bytes) -> None:
        threading.Thread(target=server.stop).start()
        server.ended.wait()
        faults.broken(handler, data)  # type: ignore[arg-type]

    server.faults["mnist/" + second] = [die]
    ended = download("mnist")
    assert ended.status == 1
    assert f"{second} could not be fetched" in ended.error[0]
    assert "no connection" in ended.error[0]
    assert [path.name for path in (cache / "mnist").iterdir()] == [IMAGES]


def test_no_server(cache: Path, mnist: Published, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    monkeypatch.setenv("IMAGE_PIPELINE_MIRROR", address)
    reasons = [f"{address}/{folder}{IMAGES}: no connection" for folder in ("mnist/", "")]
    assert download("mnist").error == [failure(cache, md5(mnist.files[IMAGES]), *reasons)]


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        (
            "IMAGE_PIPELINE_MIRROR",
            "ftp://example.org",
            "download: IMAGE_PIPELINE_MIRROR: ftp://example.org: expected an address with "
            "http:// or https://",
        ),
        *(
            (
                "IMAGE_PIPELINE_TIMEOUT",
                value,
                f"download: IMAGE_PIPELINE_TIMEOUT: {value}: expected a number of seconds above 0",
            )
            for value in ("soon", "0", "-1", "nan", "inf")
        ),
    ],
)
def test_wrong_variables(
    cache: Path,
    mnist: Published,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    value: str,
    message: str,
) -> None:
    monkeypatch.setenv(variable, value)
    ended = download("mnist")
    assert (ended.status, ended.error) == (1, [message])
