"""Fetching: mirrors, the cache folder, the system's package."""

import gzip
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pipeline.datasets import fetch, registry
from pipeline.errors import PipelineError
from pipeline.runtime.paths import RAW
from tests.pipeline.datasets.conftest import Published
from tests.pipeline.datasets.official import cifar10_file, descriptors
from tests.pipeline.datasets.pictures import download, prepare
from tests.pipeline.datasets.server import Server, serve
from tests.support import snapshot

IMAGES = "train-images-idx3-ubyte.gz"


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
    assert ended.out[0] == f"download: {damaged} has other contents than MNIST; not used"
    assert damaged.read_bytes() == mnist.files[IMAGES]


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
    one.write_bytes(b"\x1f\x8bdamaged" if packed else b"other contents")
    ended = download("mnist")
    assert ended.status == 1
    assert len(ended.out) == 1
    if packed:
        assert ended.out[0].startswith(f"download: {one}: damaged or of an unknown kind (")
        assert ended.out[0].endswith("; not used")
    else:
        why = f"{system} has other contents than MNIST ({one.name})"
        assert ended.out == [f"download: {why}; not used"]
    assert "`apt-get install dataset-mnist` (Debian), the file itself" in ended.error[0]
