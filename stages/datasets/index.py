"""What `prepare` knows of the images in data/raw before it reads a pixel."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stages.datasets.imagezip import offsets, read_index
from stages.datasets.pixels import ArrayPixels, FilePixels
from stages.datasets.raw import RawDataset
from stages.runtime.arrays import load_array
from stages.runtime.paths import PARTS

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Index:
    """The images in the order of data/raw.

    `labels` int64 (N,); `published` has the rows of the source's own parts;
    `names` and `sha256` (bytes, (N,)) are None for a named set.
    """

    labels: Indices
    published: dict[str, Indices]
    pixels: ArrayPixels | FilePixels
    names: list[str] | None = None
    sha256: npt.NDArray[np.bytes_] | None = None


def read(folder: Path, raw: RawDataset, size: int | None, channels: int | None) -> Index:
    """Read data/raw. `size` (pixels a side) and `channels`: None keeps a named set's own."""
    return (
        _arrays(folder, raw, size, channels) if raw.image_shape else _files(folder, size, channels)
    )


def _arrays(folder: Path, raw: RawDataset, size: int | None, channels: int | None) -> Index:
    height, width, own_channels = raw.image_shape or (0, 0, 0)
    shape = (size or height, size or width, channels or own_channels)
    labels = np.array(load_array(folder / "labels.npy"))
    published = {
        part: np.arange(start, stop, dtype="int64")
        for part, (start, stop) in (raw.parts or {}).items()
    }
    return Index(labels, published, ArrayPixels((folder / "images.npy").absolute(), shape))


def _files(folder: Path, size: int | None, channels: int | None) -> Index:
    if size is None:
        raise ValueError("image_size is None for images of many sizes")
    rows = list(read_index(folder / "index.csv"))
    parts = np.array([row.split for row in rows])
    published = {part: np.flatnonzero(parts == part) for part in PARTS if (parts == part).any()}
    return Index(
        np.array([row.label for row in rows], "int64"),
        published,
        FilePixels(
            (folder / "images.zip").absolute(),
            offsets(rows),
            np.array([row.size for row in rows], "int64"),
            np.array([len(row.name.encode()) for row in rows], "int64"),
            (size, size, channels or 3),
        ),
        [row.name for row in rows],
        np.array([bytes.fromhex(row.sha256) for row in rows], "S32"),
    )
