"""The images that all tools read: class folders of files in train, val and test."""

import os
import shutil
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.label_workspace import workspace
from pipeline.errors import PipelineError
from pipeline.runtime import files, paths

DATA = "IMAGE_PIPELINE_TEST_DATA"
ARCHIVE = "cats-and-dogs-small.zip"
FOLDERS = {"train": "train", "validation": "val", "test": "test"}


def digits(folder: Path) -> Path:
    """mnist_5k as PNG, divided as the stage `prepare` divides it by default."""
    if folder.exists():
        return folder
    partial = _fresh(folder)
    with workspace("peers-digits", {"dataset": "mnist_5k"}):
        for part, name in FOLDERS.items():
            images = np.load(paths.PREPARED / f"{part}_images.npy")
            classes = np.load(paths.PREPARED / f"{part}_labels.npy").argmax(axis=1)
            for number, (pixels, label) in enumerate(zip(images, classes, strict=True)):
                path = partial / name / str(label) / f"{number:04}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels[..., 0]).save(path)
    partial.rename(folder)
    return folder


def photographs(folder: Path) -> Path:
    """2,000 cats and dogs to learn from, and 1,000 each for validation and test, as they came.

    Raises:
        PipelineError: the archive is not here.
    """
    if folder.exists():
        return folder
    archive = Path(os.environ.get(DATA, "")) / ARCHIVE
    if not os.environ.get(DATA) or not archive.exists():
        raise PipelineError(f"{DATA}: names no folder with {ARCHIVE}: no photographs to measure on")
    partial = _fresh(folder)
    with zipfile.ZipFile(archive) as source:
        for entry in source.infolist():
            part, *rest = entry.filename.split("/")
            if part in FOLDERS and not entry.is_dir():
                path = partial / FOLDERS[part] / Path(*rest)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(source.read(entry))
    partial.rename(folder)
    return folder


def _fresh(folder: Path) -> Path:
    """Where it is built: what a kill has left there is not taken for the whole."""
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    return files.fresh_folder(partial)
