"""The stage download: folders and archives of one's own, and a line for each that is none."""

import csv
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
import unicodedata
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from stages.datasets.raw import RawDataset
from stages.parameters.resolve import DownloadParameters
from stages.runtime import files
from stages.runtime.paths import RAW
from tests import support
from tests.datasets.conftest import Published, cache, mnist, server
from tests.datasets.pictures import (
    Outcome,
    add_to_tar,
    class_folders,
    download,
    png,
    snapshot,
    without_record,
    write_folder,
    write_tar,
    write_zip,
)
from tests.datasets.server import Server, stalled

__all__ = ["cache", "mnist", "server"]

PARTS = {
    **{f"train/{name}": data for name, data in class_folders().items()},
    **{f"val/{name}": data for name, data in class_folders(count=2, start=100).items()},
    **{f"test/{name}": data for name, data in class_folders(count=2, start=200).items()},
}


def raw() -> RawDataset:
    return RawDataset.read(RAW)


def index() -> list[dict[str, str]]:
    with (RAW / "index.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_default_set_needs_no_network(workspace: Path) -> None:
    assert support.run_stage("params").returncode == 0
    ended = support.run_stage("download")
    assert (ended.returncode, ended.stdout, ended.stderr) == (
        0,
        "download: mnist_5k: 5,000 images in 10 classes\n",
        "",
    )
    assert sorted(path.name for path in RAW.iterdir()) == [
        "dataset.json",
        "images.npy",
        "labels.npy",
    ]
    assert np.load(RAW / "images.npy").shape == (5000, 28, 28, 1)
    assert raw().digest == f"sha256:{files.sha256(RAW / 'images.npy', RAW / 'labels.npy')}"
    assert list(Path(".state/resume").iterdir()) == []


def test_a_folder(workspace: Path) -> None:
    ended = download(write_folder(workspace.parent / "photos", PARTS))
    assert ended == Outcome(
        0,
        ["download: photos: 20 images in 2 classes (4 test, 12 train, 4 validation)"],
        [],
    )
    found = raw()
    assert (found.kind, found.name, found.classes) == ("files", "photos", ["cat", "dog"])
    assert (found.image_shape, found.parts) == (None, None)
    with zipfile.ZipFile(RAW / "images.zip") as archive:
        assert archive.namelist() == sorted(PARTS)
        assert {name: archive.read(name) for name in PARTS} == PARTS
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    rows = index()
    assert [row["name"] for row in rows] == sorted(PARTS)
    assert rows[0] | {"sha256": ""} == {
        "name": "test/cat/000.png",
        "label": "0",
        "split": "test",
        "size": str(len(PARTS["test/cat/000.png"])),
        "sha256": "",
    }
    assert {row["split"] for row in rows if row["name"].startswith("val/")} == {"validation"}


def test_a_folder_and_its_archives_give_the_same(workspace: Path) -> None:
    """In any order, packed or not, around a folder or not."""
    backwards = dict(reversed(PARTS.items()))
    within = {f"photos/{name}": data for name, data in PARTS.items()}
    made = [
        write_folder(workspace.parent / "photos", backwards),
        write_zip(workspace.parent / "photos.zip", PARTS, compression=zipfile.ZIP_DEFLATED),
        write_zip(workspace.parent / "within.zip", within),
        write_tar(workspace.parent / "photos.tar", backwards),
        write_tar(workspace.parent / "photos.tar.gz", within, "w:gz"),
        write_tar(workspace.parent / "photos.txz", PARTS, "w:xz"),
    ]
    digests = set()
    for path in made:
        assert download(path).status == 0
        digests.add((raw().digest, files.sha256(RAW / "images.zip", RAW / "index.csv")))
        assert raw().name == path.name.split(".")[0]
    assert len(digests) == 1


def test_the_same_again_is_the_same_bytes_and_names_no_path(workspace: Path) -> None:
    photos = write_folder(workspace.parent / "photos", class_folders())
    assert download(photos).status == 0
    first = snapshot(RAW)
    os.utime(photos / "cat" / "000.png", (1, 1))
    assert download(photos).status == 0
    assert snapshot(RAW) == first
    assert str(workspace.parent) not in (RAW / "dataset.json").read_text()
    assert raw().source == "a folder of one's own, photos"
    (photos / "cat" / "000.png").write_bytes(png(999))
    assert download(photos).status == 0
    assert snapshot(RAW).keys() == first.keys()
    assert raw().digest not in json.dumps(first)
    changed = {name for name, digest in snapshot(RAW).items() if digest != first[name]}
    assert {Path(name).name for name in changed} == {"dataset.json", "images.zip", "index.csv"}


def test_korean_names(workspace: Path) -> None:
    """In the form of macOS, too, which takes its syllables apart."""
    names = {"고양이/사진 1.png": png(1), "강아지/사진 2.png": png(2)}
    apart = {unicodedata.normalize("NFD", name): data for name, data in names.items()}
    for path in (
        write_folder(workspace.parent / "사진", names),
        write_folder(workspace.parent / "apart", apart),
        write_zip(workspace.parent / "apart.zip", apart),
    ):
        assert download(path).status == 0
        assert raw().classes == ["강아지", "고양이"]
        assert [row["name"] for row in index()] == sorted(names)


def test_what_is_left_out_is_said(workspace: Path) -> None:
    photos = write_folder(
        workspace.parent / "photos",
        {
            **class_folders(),
            ".DS_Store": b"",
            "cat/Thumbs.db": b"",
            "__MACOSX/cat/._000.png": b"",
            "cat/notes.txt": b"",
            "cover.png": png(),
            "more.zip": b"",
        },
    )
    assert download(photos).out == [
        "download: photos: 12 images in 2 classes",
        "download: photos: 3 files left out, being no image or in no class folder: "
        "cat/notes.txt, cover.png and more.zip",
        "download: photos: 3 hidden files left out",
    ]
    ignored = raw().ignored
    assert ignored is not None
    assert ignored.model_dump() == {
        "hidden": 3,
        "others": 3,
        "names": ["cat/notes.txt", "cover.png", "more.zip"],
    }


def test_ten_thousand_classes(workspace: Path) -> None:
    one = png()
    path = write_zip(workspace.parent / "many.zip", {f"{n:05}/1.png": one for n in range(10_000)})
    assert download(path).out == ["download: many.zip: 10,000 images in 10,000 classes"]
    assert raw().classes == [f"{number:05}" for number in range(10_000)]


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
        ".webp or another of 24 known endings",
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


def start(**environment: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        without_record("download"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **environment},
    )


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def test_a_killed_copy_goes_on(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed (-9) in the middle, by a named pipe's absence of bytes: the rest is copied, no more."""
    photos = write_folder(workspace.parent / "photos", class_folders(count=30))
    assert download(photos).status == 0
    whole = snapshot(RAW)
    script = (
        "from stages.datasets import imagezip\n"
        "import os, signal\n"
        "imagezip.CHECKPOINT_SECONDS = -1\n"
        "add = imagezip.ImageZipWriter.add\n"
        "def die(self, *image):\n"
        "    add(self, *image)\n"
        "    if self.done == 40: os.kill(os.getpid(), signal.SIGKILL)\n"
        "imagezip.ImageZipWriter.add = die\n"
        "import stages.download as stage\n"
        "stage.main()\n"
    )
    files.fresh_folder(RAW)
    killed = subprocess.run([sys.executable, "-c", script], timeout=60, capture_output=True)
    assert killed.returncode == -signal.SIGKILL
    assert list(RAW.iterdir()) == []
    ended = download(photos)
    assert ended.out[-1] == "download: going on after 40 images, from a run that was stopped"
    assert snapshot(RAW) == whole
    assert list(Path(".state/resume").iterdir()) == []


def test_a_changed_folder_is_not_gone_on_with(workspace: Path) -> None:
    photos = write_folder(workspace.parent / "photos", class_folders(count=30))
    script = (
        "from stages.datasets import imagezip\n"
        "import os, signal\n"
        "imagezip.ImageZipWriter.finish = lambda self: (\n"
        "    self.checkpoint(), os.kill(os.getpid(), signal.SIGKILL)\n"
        ")\n"
        "import stages.download as stage\n"
        "stage.main()\n"
    )
    files.write_json(DownloadParameters.path(), {"dataset": str(photos)})
    killed = subprocess.run([sys.executable, "-c", script], timeout=60, capture_output=True)
    assert killed.returncode == -signal.SIGKILL
    (photos / "cat" / "000.png").write_bytes(png(777))
    ended = download(photos)
    assert ended.out == ["download: photos: 60 images in 2 classes"]
    with zipfile.ZipFile(RAW / "images.zip") as archive:
        assert archive.read("cat/000.png") == png(777)


def test_a_killed_download_goes_on(
    server: Server, cache: Path, mnist: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed (-9) while the server stalls: the next start asks for the rest alone."""
    name = "train-images-idx3-ubyte.gz"
    server.files = {f"mnist/{file}": data for file, data in mnist.files.items()}
    server.faults[f"mnist/{name}"] = [stalled]
    files.write_json(DownloadParameters.path(), {"dataset": "mnist"})
    half = len(mnist.files[name]) // 2
    process = start(IMAGE_PIPELINE_TIMEOUT="30")
    state = Path(".state/resume")
    wait_for(lambda: any(part.stat().st_size == half for part in state.rglob("*.part")))
    process.kill()
    process.wait()
    server.requests.clear()
    assert download("mnist").status == 0
    assert server.requests[0] == (f"mnist/{name}", f"bytes={half}-")
    assert np.load(RAW / "images.npy")[..., 0].tolist() == mnist.images.tolist()
    assert list(state.iterdir()) == []


def test_two_at_once_give_one_data_set(workspace: Path) -> None:
    """A killed dvc leaves its stage alive: the next one waits for it."""
    photos = write_folder(workspace.parent / "photos", class_folders(count=30))
    files.write_json(DownloadParameters.path(), {"dataset": str(photos)})
    processes = [start() for _ in range(3)]
    assert [process.wait(timeout=120) for process in processes] == [0, 0, 0]
    assert len(index()) == 60
    with zipfile.ZipFile(RAW / "images.zip") as archive:
        assert archive.testzip() is None


def test_a_full_disk_gets_one_line(workspace: Path) -> None:
    """A limit on the size of files shows it; the stage goes on when there is room."""
    photos = write_folder(workspace.parent / "photos", class_folders(count=30))
    files.write_json(DownloadParameters.path(), {"dataset": str(photos)})
    ended = subprocess.run(
        ["bash", "-c", 'ulimit -f 4; exec "$@"', "bash", *without_record("download")],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert ended.returncode == 1
    last = ended.stderr.splitlines()[-1]
    assert last.startswith("download: no room on the disk"), ended.stderr
    assert not RAW.exists()
    assert download(photos).status == 0
    assert len(index()) == 60
