"""The stage download: named sets, folders and archives of one's own."""

import json
import os
import unicodedata
import zipfile
from pathlib import Path

import numpy as np

from pipeline.runtime import files
from pipeline.runtime.paths import RAW
from tests import support
from tests.pipeline.datasets.outs import images, index, raw
from tests.pipeline.datasets.pictures import (
    class_folders,
    download,
    png,
    write_folder,
    write_tar,
    write_zip,
)
from tests.support import Outcome, snapshot

PARTS = {
    **{f"train/{name}": data for name, data in class_folders().items()},
    **{f"val/{name}": data for name, data in class_folders(count=2, start=100).items()},
    **{f"test/{name}": data for name, data in class_folders(count=2, start=200).items()},
}


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
    assert {path.name for path in RAW.iterdir()} == {
        "dataset.json",
        "images-00000.tar",
        "index.csv",
    }
    assert images() == PARTS
    assert list(images()) == sorted(PARTS)
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
        digests.add((raw().digest, files.sha256(RAW / "images-00000.tar", RAW / "index.csv")))
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
    assert {Path(name).name for name in changed} == {
        "dataset.json",
        "images-00000.tar",
        "index.csv",
    }


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
