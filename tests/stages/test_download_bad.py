"""The stage download on what is no data set: one line, and the tree as it was."""

import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.parameters.stages import DownloadParameters
from pipeline.runtime import files
from tests import support
from tests.pipeline.datasets.pictures import (
    add_to_tar,
    class_folders,
    download,
    png,
    write_folder,
    write_tar,
    write_zip,
)
from tests.support import snapshot


def zip_with(name: str, data: bytes = b"x", mode: int = 0) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = write_zip(folder / "photos.zip", class_folders())
        with zipfile.ZipFile(path, "a") as archive:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            archive.writestr(info, data)
        return path

    return write


def tar_with(name: str, **fields: object) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = write_tar(folder / "photos.tar", class_folders())
        with tarfile.open(path, "a") as archive:
            add_to_tar(archive, name, **fields)
        return path

    return write


def encrypted(folder: Path) -> Path:
    path = write_zip(folder / "photos.zip", class_folders())
    path.write_bytes(
        path.read_bytes()
        .replace(b"PK\x01\x02\x14\x03\x14\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01")
        .replace(b"PK\x03\x04\x14\x00\x00", b"PK\x03\x04\x14\x00\x01")
    )
    return path


def bomb(folder: Path) -> Path:
    path = folder / "photos.tar"
    with tarfile.open(path, "w") as archive:
        member = tarfile.TarInfo("cat/1.png")
        member.size = 10_000_000_000
        archive.fileobj.write(member.tobuf())  # type: ignore[union-attr]
    return path


def wrong_checksum(folder: Path) -> Path:
    path = write_zip(folder / "photos.zip", class_folders())
    data = path.read_bytes()
    path.write_bytes(data.replace(class_folders()["dog/003.png"][-20:], b"?" * 20))
    return path


def folder_of(contents: dict[str, bytes]) -> Callable[[Path], Path]:
    return lambda folder: write_folder(folder / "photos", contents)


def file_of(name: str, data: bytes) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (folder / name).write_bytes(data)
        return folder / name

    return write


BAD = [
    (
        lambda folder: folder / "gone",
        "dataset: {path}: no such file or folder",
    ),
    (
        lambda folder: Path("photos/here"),
        "dataset: photos/here: a path has to be absolute: {folder}/photos/here",
    ),
    (
        lambda folder: Path("mnist_5q"),
        "dataset: mnist_5q: unknown data set; did you mean mnist_5k?",
    ),
    (
        folder_of({"cat/1.png": png()}),
        "photos: one class (cat); a classifier needs at least two class folders",
    ),
    (
        folder_of({"cat/1.png": png(), "dog/": b""}),
        "photos: no images in class folder dog (files that end in .jpg, .png …); "
        "add some or remove the folder",
    ),
    (
        folder_of({"Cat/1.png": png(1), "cat/1.png": png(2)}),
        "photos: the class folders Cat and cat differ in upper and lower case alone; "
        "rename or merge them",
    ),
    (
        folder_of({}),
        "photos: no images in it; expected class folders with files that end in .jpg, .png, "
        ".webp or another of 25 known endings",
    ),
    (
        folder_of({"1.png": png(1), "2.png": png(2)}),
        "photos: the images stand in no class folders; expected <class>/<image>",
    ),
    (
        folder_of({"train.zip": b"", "test.zip": b""}),
        "photos: holds archives (test.zip and train.zip) and no images; unpack those first",
    ),
    (
        zip_with("../../evil.png"),
        "photos.zip: ../../evil.png leads out of the archive; an archive may not do that",
    ),
    (
        zip_with("/etc/evil.png"),
        "photos.zip: /etc/evil.png is an absolute path; an archive may hold none",
    ),
    (
        zip_with("cat/link.png", b"/etc/passwd", 0o120777),
        "photos.zip: cat/link.png is a link out of the archive, to /etc/passwd",
    ),
    (
        tar_with("cat/link.png", type=tarfile.SYMTYPE, linkname="../../up.png"),
        "photos.tar: cat/link.png is a link out of the archive, to ../up.png",
    ),
    (
        tar_with("cat/null.png", type=tarfile.CHRTYPE),
        "photos.tar: cat/null.png is a special file; an archive of images may hold none",
    ),
    (
        encrypted,
        "photos.zip: cat/000.png is encrypted; unpack it with its password, name the folder",
    ),
    (
        bomb,
        "photos.tar: unpacks to more than 1.1 GB, over 100 times its size: refused as a bomb; "
        "if it is none, unpack it and name the folder",
    ),
    (
        wrong_checksum,
        "photos.zip: dog/003.png: damaged or of an unknown kind (Bad CRC-32 for file "
        "'dog/003.png')",
    ),
    (
        file_of("photos.rar", b"Rar!\x1a\x07"),
        "photos.rar: a .rar, which the pipeline does not read; expected a folder, or a .zip, "
        ".tar, .tar.gz, .tar.bz2 or .tar.xz",
    ),
    (
        file_of("photos.jpg", b"\xff\xd8\xff\xe0"),
        "photos.jpg: not an archive; expected a folder, or a .zip, .tar, .tar.gz, .tar.bz2 or "
        ".tar.xz",
    ),
    (
        file_of("photos.zip", b"PK\x03\x04 <html>"),
        "photos.zip: damaged or of an unknown kind (File is not a zip file)",
    ),
]


@pytest.mark.parametrize(("make", "message"), BAD)
def test_bad_input_gets_one_line_and_leaves_the_tree_as_it_was(
    workspace: Path, make: Callable[[Path], Path], message: str
) -> None:
    """With an earlier data set in data/raw, which stays."""
    assert download("digits").status == 0
    path = make(workspace.parent)
    before = snapshot(workspace.parent)
    ended = download(path)
    message = message.format(path=path, folder=workspace)
    assert ended.error == [f"download: {message}"]
    assert ended.status == 1
    after = snapshot(workspace.parent)
    own = str(DownloadParameters.path().absolute())
    assert before.pop(own) != after.pop(own)
    assert after == before


def test_an_unreadable_path_as_a_process(workspace: Path) -> None:
    files.write_json(DownloadParameters.path(), {"dataset": str(workspace / "gone")})
    ended = support.run_stage("download")
    assert (ended.returncode, ended.stdout, ended.stderr) == (
        1,
        "",
        f"download: dataset: {workspace / 'gone'}: no such file or folder\n",
    )
