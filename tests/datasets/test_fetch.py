"""Fetching: every way that a server can fail, the cache, the system's package."""

import gzip
import hashlib
import os
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from stages.datasets import fetch, registry
from stages.errors import PipelineError
from stages.runtime.paths import RAW
from tests.datasets import server as faults
from tests.datasets.conftest import Published
from tests.datasets.official import cifar10_file, descriptors
from tests.datasets.pictures import download, prepare, snapshot
from tests.datasets.server import Server

IMAGES = "train-images-idx3-ubyte.gz"


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """pooch waits 1 and 2 seconds before its retries."""
    monkeypatch.setattr("pooch.core.time", SimpleNamespace(sleep=lambda seconds: None))


def serve(server: Server, files: dict[str, bytes], folder: str = "mnist/") -> None:
    server.files = {folder + name: data for name, data in files.items()}


def failure(cache: Path, md5: str, *reasons: str) -> str:
    return (
        f"download: dataset: mnist: {IMAGES} could not be fetched ({'; '.join(reasons)}). Ways "
        f"out: a mirror's address in IMAGE_PIPELINE_MIRROR, the file itself (MD5 {md5}) at "
        f"{cache / 'mnist' / IMAGES}, or a data set that needs no network (mnist_5k, digits)"
    )


def md5_of(mnist: Published) -> str:
    return hashlib.md5(mnist.files[IMAGES], usedforsecurity=False).hexdigest()


def test_mnist_from_a_mirror(server: Server, cache: Path, mnist: Published) -> None:
    serve(server, mnist.files)
    ended = download("mnist")
    assert (ended.status, ended.error) == (0, [])
    assert ended.out == ["download: mnist: 60 images in 10 classes"]
    assert np.load(RAW / "images.npy")[..., 0].tolist() == mnist.images.tolist()
    assert np.load(RAW / "labels.npy").tolist() == mnist.labels.tolist()
    assert sorted(path.name for path in (cache / "mnist").iterdir()) == sorted(mnist.files)
    assert prepare(image_size=None, channels=None).status == 0


def test_cifar10_from_a_mirror_that_has_no_folders(
    server: Server, cache: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = cifar10_file(workspace.parent)
    monkeypatch.setenv(
        "IMAGE_PIPELINE_DESCRIPTORS", str(descriptors(workspace / "named", "cifar10", files))
    )
    serve(server, files, folder="")
    assert download("cifar10").out == ["download: cifar10: 30 images in 10 classes"]
    assert np.load(RAW / "images.npy").shape == (30, 32, 32, 3)


def test_a_cached_file_is_not_fetched_again(server: Server, cache: Path, mnist: Published) -> None:
    serve(server, mnist.files)
    download("mnist")
    first = snapshot(RAW)
    server.requests.clear()
    assert download("mnist").status == 0
    assert server.requests == []
    assert snapshot(RAW) == first


def test_a_damaged_file_in_the_cache_is_fetched_again(
    server: Server, cache: Path, mnist: Published
) -> None:
    serve(server, mnist.files)
    download("mnist")
    damaged = cache / "mnist" / IMAGES
    damaged.write_bytes(b"damaged")
    ended = download("mnist")
    assert ended.status == 0
    assert ended.out[0] == f"download: {damaged} has another MD5 than {md5_of(mnist)}; not used"
    assert damaged.read_bytes() == mnist.files[IMAGES]


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


@pytest.mark.parametrize(
    ("fault", "reason", "tries"),
    [
        (faults.broken, "the connection broke", 3),
        (faults.truncated, "another MD5 than it should have", 3),
        (faults.wrong, "another MD5 than it should have", 3),
        (faults.stalled, "no byte for 0.3 s", 3),
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
        failure(cache, md5_of(mnist), f"{first}: {reason}", f"{second}: 404 Not Found")
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
    assert download("mnist").error == [failure(cache, md5_of(mnist), *reasons)]


def test_the_authors_addresses_come_after_the_mirror(
    server: Server, cache: Path, mnist: Published, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(server, mnist.files, folder="author/")
    folder = descriptors(
        workspace / "named", "mnist", mnist.files, mirrors=[f"{server.address}/author/"]
    )
    monkeypatch.setenv("IMAGE_PIPELINE_DESCRIPTORS", str(folder))
    assert download("mnist").status == 0
    assert [path for path, _ in server.requests[:3]] == [
        f"mnist/{IMAGES}",
        IMAGES,
        f"author/{IMAGES}",
    ]


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


def test_a_cache_that_is_a_file(cache: Path, mnist: Published) -> None:
    cache.write_text("in the way")
    ended = download("mnist")
    assert ended.error == [
        f"download: {cache / 'mnist'}: cannot be written to (Not a directory); name another cache "
        "folder in IMAGE_PIPELINE_CACHE"
    ]


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users may look into; pytest's own are closed to them."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


def test_a_read_only_cache(
    server: Server, mnist: Published, open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fetching into it gets one line; what is in it is used. (Root may write anywhere, and so
    is another user for a moment.)"""
    serve(server, mnist.files)
    monkeypatch.setenv("IMAGE_PIPELINE_CACHE", str(open_folder))
    monkeypatch.setenv("IMAGE_PIPELINE_TIMEOUT", "9")
    descriptor = registry.descriptor("mnist")

    def fetch_read_only() -> dict[str, Path]:
        open_folder.chmod(0o555)
        user = os.geteuid()
        os.seteuid(user or 65534)
        try:
            return fetch.fetch("mnist", descriptor, open_folder / "parts", print)
        finally:
            os.seteuid(user)
            open_folder.chmod(0o755)

    with pytest.raises(PipelineError) as error:
        fetch_read_only()
    assert str(error.value) == (
        f"{open_folder / 'mnist'}: cannot be written to (Permission denied); name another cache "
        "folder in IMAGE_PIPELINE_CACHE"
    )
    assert list(open_folder.iterdir()) == []
    assert download("mnist").status == 0
    assert fetch_read_only() == {name: open_folder / "mnist" / name for name in mnist.files}


@pytest.mark.parametrize("packed", [True, False])
def test_debians_package_is_used_by_its_unpacked_digest(
    cache: Path,
    mnist: Published,
    workspace: Path,
    monkeypatch: pytest.MonkeyPatch,
    packed: bool,
) -> None:
    """Packed again, so that the MD5 differs, or not packed at all."""
    system = workspace.parent / "system"
    system.mkdir()
    for name, data in mnist.files.items():
        unpacked = gzip.decompress(data)
        name = name if packed else name.removesuffix(".gz")
        (system / name).write_bytes(gzip.compress(unpacked, 1) if packed else unpacked)
    folder = descriptors(
        workspace / "named",
        "mnist",
        mnist.files,
        system_folder=str(system),
        package="dataset-mnist",
    )
    monkeypatch.setenv("IMAGE_PIPELINE_DESCRIPTORS", str(folder))
    assert download("mnist").status == 0
    assert np.load(RAW / "images.npy")[..., 0].tolist() == mnist.images.tolist()
    assert not cache.exists()
    one = next(iter(system.iterdir()))
    one.write_bytes(b"\x1f\x8bdamaged")
    ended = download("mnist")
    assert ended.status == 1
    assert ended.out == [f"download: {one} has other contents than MNIST; not used"]
    assert "`apt-get install dataset-mnist` (Debian), the file itself" in ended.error[0]
