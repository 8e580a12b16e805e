"""A named data set whose contents are the published ones, however they are packed."""

import bz2
import gzip
import hashlib
import io
import lzma
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.datasets import registry
from pipeline.datasets.contents import contents
from pipeline.errors import PipelineError
from pipeline.runtime.paths import RAW
from tests.pipeline.datasets.conftest import Published
from tests.pipeline.datasets.official import Files, cifar10_file, descriptors, md5, unpack
from tests.pipeline.datasets.pictures import download, write_folder, write_tar, write_zip
from tests.pipeline.datasets.server import Server, serve
from tests.support import snapshot

ARCHIVE = "cifar-10-binary.tar.gz"
FOLDER = "cifar-10-batches-bin"


@pytest.fixture
def cifar10(workspace: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Files:
    """The author's files of a small CIFAR-10, by their names, and an empty cache folder for it."""
    files = cifar10_file(workspace.parent)
    folder = descriptors(workspace.parent / "named", "cifar10", files)
    monkeypatch.setenv("IMAGE_PIPELINE_DESCRIPTORS", str(folder))
    (cache / "cifar10").mkdir(parents=True)
    return unpack(ARCHIVE, files[ARCHIVE])


def shuffled(files: Files) -> Files:
    """In another order, with the author's other files beside."""
    names = sorted(files, reverse=True)
    return {f"{FOLDER}/readme.html": b"<html>"} | {name: files[name] for name in names}


def flat(files: Files) -> Files:
    return {name.rsplit("/", 1)[-1]: data for name, data in files.items()}


PACKINGS: dict[str, Callable[[Path, Files], Path]] = {
    "the same name": lambda cache, files: write_tar(cache / ARCHIVE, shuffled(files), "w:gz"),
    "tar": lambda cache, files: write_tar(cache / "cifar-10-binary.tar", shuffled(files)),
    "tar.xz": lambda cache, files: write_tar(cache / "cifar-10-binary.tar.xz", files, "w:xz"),
    "tar.bz2": lambda cache, files: write_tar(cache / "c.tbz2", files, "w:bz2"),
    "zip": lambda cache, files: write_zip(cache / "cifar-10-binary.zip", shuffled(files)),
    "zip without folders": lambda cache, files: write_zip(
        cache / "a.zip", flat(files), compression=zipfile.ZIP_DEFLATED
    ),
    "zip in a folder": lambda cache, files: write_zip(
        cache / "a.zip", {f"x/{name}": data for name, data in files.items()}
    ),
    "folder": lambda cache, files: write_folder(cache, shuffled(files)),
    "folder in a folder": lambda cache, files: write_folder(cache / "unpacked", files),
    "loose files": lambda cache, files: write_folder(cache, flat(files)),
    "packed files": lambda cache, files: write_folder(
        cache, {f"{name}.gz": gzip.compress(data) for name, data in flat(files).items()}
    ),
}


@pytest.mark.parametrize("packing", PACKINGS)
def test_cifar10_is_used_however_it_is_packed(cache: Path, cifar10: Files, packing: str) -> None:
    """The same bytes in data/raw as from the author's archive, and nothing is said or fetched."""
    PACKINGS[packing](cache / "cifar10", cifar10)
    before = snapshot(cache)
    ended = download("cifar10")
    assert (ended.status, ended.error) == (0, [])
    assert ended.out == ["download: cifar10: 30 images in 10 classes"]
    assert snapshot(cache) == before
    again = snapshot(RAW)
    for path in (cache / "cifar10").iterdir():
        path.rename(cache / f"not {path.name}")
    write_tar(cache / "cifar10" / ARCHIVE, cifar10, "w:gz")
    assert download("cifar10").status == 0
    assert snapshot(RAW) == again


def changed(files: Files, **changes: bytes | None) -> Files:
    named = {f"{FOLDER}/{name}.bin": data for name, data in changes.items()}
    return {name: data for name, data in (files | named).items() if data is not None}


@pytest.mark.parametrize("packing", ["the same name", "tar.xz", "zip without folders", "folder"])
def test_other_contents_are_named_and_not_used(
    server: Server,
    cache: Path,
    cifar10: Files,
    workspace: Path,
    packing: str,
) -> None:
    """One bit of one pixel; the author's archive is fetched instead."""
    batch = bytearray(cifar10[f"{FOLDER}/data_batch_3.bin"])
    batch[-1] ^= 1
    path = PACKINGS[packing](cache / "cifar10", changed(cifar10, data_batch_3=bytes(batch)))
    if packing == "folder":
        path = path / FOLDER
    serve(server, {ARCHIVE: (workspace.parent / ARCHIVE).read_bytes()}, folder="cifar10/")
    ended = download("cifar10")
    assert ended.out == [
        f"download: {path} has other contents than CIFAR-10 ({FOLDER}/data_batch_3.bin); not used",
        "download: cifar10: 30 images in 10 classes",
    ]
    assert [path for path, _ in server.requests] == [f"cifar10/{ARCHIVE}"]


@pytest.mark.parametrize("packing", ["the same name", "zip", "loose files"])
def test_contents_that_are_not_all_there(cache: Path, cifar10: Files, packing: str) -> None:
    path = PACKINGS[packing](cache / "cifar10", changed(cifar10, data_batch_2=None))
    ended = download("cifar10")
    assert ended.out == [f"download: {path}: {FOLDER}/data_batch_2.bin is not in it; not used"]
    assert ended.status == 1
    assert "(or its contents in that folder, however packed)" in ended.error[0]


def test_a_damaged_archive_is_named_and_the_folder_beside_it_used(
    cache: Path, cifar10: Files
) -> None:
    path = write_tar(cache / "cifar10" / "c.tar.gz", cifar10, "w:gz")
    path.write_bytes(path.read_bytes()[:-2000])
    write_folder(cache / "cifar10", cifar10)
    ended = download("cifar10")
    assert ended.status == 0
    assert ended.out[0].startswith(f"download: {path}: damaged or of an unknown kind (")
    assert ended.out[0].endswith("; not used")


def test_a_zip_whose_list_of_files_is_before_its_start_is_damaged(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", {"a": b"abc"})
    data = bytearray(path.read_bytes())
    where = data.rindex(b"PK\x05\x06") + 12  # the length of the list, and its place
    data[where : where + 8] = (1 << 30).to_bytes(4, "little") + bytes(4)
    path.write_bytes(data)
    with pytest.raises(PipelineError, match=r"a\.zip: damaged or of an unknown kind"):
        dict(contents(path, ["a"]))


def test_what_has_nothing_to_do_with_it_is_passed_over(cache: Path, cifar10: Files) -> None:
    write_folder(
        cache / "cifar10",
        {"notes.txt": b"mine", ".hidden": b"", "a/b.bin": b"", "empty.zip": b"PK\5\6" + bytes(18)},
    )
    PACKINGS["tar"](cache / "cifar10", cifar10)
    assert download("cifar10").out == ["download: cifar10: 30 images in 10 classes"]


def test_without_digests_of_the_contents_the_archive_itself_counts(
    workspace: Path, cache: Path, cifar10: Files
) -> None:
    """By whatever name."""
    data = (workspace.parent / ARCHIVE).read_bytes()
    path = workspace.parent / "named" / "cifar10"
    text = path.read_text()
    for content in cifar10.values():
        text = text.replace(hashlib.sha256(content).hexdigest(), "null")
    path.write_text(text)
    assert registry.descriptor("cifar10").files[0].contents == dict.fromkeys(cifar10)
    path = write_tar(cache / "cifar10" / ARCHIVE, shuffled(cifar10), "w:gz")
    ended = download("cifar10")
    assert ended.status == 1
    assert ended.out == [f"download: {path} has another MD5 than {md5(data)}; not used"]
    path.unlink()
    (cache / "cifar10" / "renamed").write_bytes(data)
    assert download("cifar10").status == 0


@pytest.mark.parametrize(
    ("ending", "packed"),
    [("", bytes), (".gz", gzip.compress), (".xz", lzma.compress), (".bz2", bz2.compress)],
)
def test_mnist_is_used_however_it_is_packed(
    cache: Path, mnist: Published, ending: str, packed: Callable[[bytes], bytes]
) -> None:
    for name, data in mnist.files.items():
        path = cache / "mnist" / name.replace(".gz", ending)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(packed(gzip.decompress(data)))
    assert download("mnist").out == ["download: mnist: 60 images in 10 classes"]
    assert np.load(RAW / "images.npy")[..., 0].tolist() == mnist.images.tolist()


def test_mnist_in_one_archive_of_packed_files(cache: Path, mnist: Published) -> None:
    (cache / "mnist").mkdir(parents=True)
    again = {name: gzip.compress(gzip.decompress(data), 1) for name, data in mnist.files.items()}
    write_zip(cache / "mnist" / "archive.zip", again)
    assert download("mnist").out == ["download: mnist: 60 images in 10 classes"]


def test_too_large_contents_are_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.datasets.contents.LARGEST", 1000)
    (tmp_path / "a.gz").write_bytes(gzip.compress(bytes(1001)))
    (tmp_path / "b.gz").write_bytes(gzip.compress(bytes(1000)))
    assert dict(contents(tmp_path, ["a", "x/b"])) == {"x/b": bytes(1000)}


def test_links_in_an_archive_are_not_followed(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as tar:
        link = tarfile.TarInfo("secret")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
        file = tarfile.TarInfo("../there")
        file.size = 3
        tar.addfile(file, io.BytesIO(b"abc"))
    assert dict(contents(path, ["secret", "there"])) == {"there": b"abc"}
