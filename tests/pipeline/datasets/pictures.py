"""Small pictures, folders and archives of them, and what a stage did with them."""

import io
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pipeline.datasets.tree import Tree
from pipeline.parameters.stages import DownloadParameters, PrepareParameters
from pipeline.runtime import files
from tests.support import Outcome, run_here

Files = Mapping[str, bytes]


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    """An image as the bytes of a file."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def png(seed: int = 0, width: int = 6, height: int = 5) -> bytes:
    """A colour picture of its own for each seed."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype="uint8")
    return encoded(Image.fromarray(pixels))


def pixels(data: bytes) -> np.ndarray:
    """The pixels of such a picture, as Pillow reads them."""
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def class_folders(
    classes: tuple[str, ...] = ("cat", "dog"), count: int = 6, start: int = 0
) -> dict[str, bytes]:
    """`count` different pictures in each of the class folders."""
    return {
        f"{name}/{number:03}.png": png(start + 1000 * label + number)
        for label, name in enumerate(classes)
        for number in range(count)
    }


def write_folder(path: Path, contents: Files) -> Path:
    """Files on the disk; a name that ends in / is an empty folder."""
    path.mkdir(parents=True, exist_ok=True)
    for name, data in contents.items():
        place = path / name
        if name.endswith("/"):
            place.mkdir(parents=True, exist_ok=True)
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    return path


def write_zip(path: Path, contents: Files, **options: Any) -> Path:
    with zipfile.ZipFile(path, "w", **options) as archive:
        for name, data in contents.items():
            archive.writestr(name, data)
    return path


def write_tar(path: Path, contents: Files, mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, data in contents.items():
            add_to_tar(archive, name, data)
    return path


def add_to_tar(archive: tarfile.TarFile, name: str, data: bytes = b"", **fields: Any) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    for field, value in fields.items():
        setattr(member, field, value)
    archive.addfile(member, io.BytesIO(data))


def without_record(name: str) -> list[str]:
    """The command of a stage whose failure is not recorded: MLflow takes seconds to import."""
    script = (
        f"from stages import {name} as stage\n"
        "from pipeline.runtime.stage import run_stage\n"
        f"run_stage('{name}', stage.main, stage.__doc__)\n"
    )
    return [sys.executable, "-c", script]


def download(dataset: str | Path) -> Outcome:
    """The stage `download` on a data set."""
    files.write_json(DownloadParameters.path(), {"dataset": str(dataset)})
    return run_here("download")


def prepare(**changes: Any) -> Outcome:
    """The stage `prepare` with the defaults of params.yaml, but 4 pixels a side."""
    parameters = {
        "image_size": 4,
        "channels": 3,
        "resize": "stretch",
        "validation_fraction": 0.3,
        "test_fraction": 0.2,
        "split_seed": 42,
        "normalization": "minmax",
        "unreadable": "error",
    }
    files.write_json(PrepareParameters.path(), parameters | changes)
    return run_here("prepare")


PICTURES = {"cat/1.png": png(1), "dog/1.png": png(2), "notes.txt": b"hello"}


def contents(tree: Tree) -> dict[str, bytes]:
    found = {}
    for entry in tree.files:
        with tree.open(entry) as file:
            found[entry.name] = file.read()
            assert len(found[entry.name]) == entry.size
    return found
