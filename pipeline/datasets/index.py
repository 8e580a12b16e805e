"""What `prepare` knows of the images in data/raw before it reads a pixel."""

from array import array
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.datasets.pixels import ArrayPixels, FilePixels, Indices
from pipeline.datasets.raw import RawDataset
from pipeline.datasets.resizing import Resize, sides
from pipeline.datasets.shards import header_size, offsets, read_index
from pipeline.runtime.arrays import load_array
from pipeline.runtime.paths import PARTS

Size = int | list[int] | None

_PART_CODES = {"": 0} | {part: code for code, part in enumerate(PARTS, 1)}


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


def name_of(index: Index, row: int) -> str:
    """What a person's list calls an image: its file name, its number in a named data set."""
    return index.names[row] if index.names else str(row)


def read(folder: Path, raw: RawDataset, size: Size, channels: int | None, resize: Resize) -> Index:
    """Read data/raw. `size` (pixels) and `channels`: None keeps a named set's own."""
    if raw.image_shape is None:
        return _files(folder, size, channels, resize)
    *own, own_channels = raw.image_shape
    shape = (*sides(size, (own[0], own[1])), channels or own_channels)
    return _arrays(folder, raw, ArrayPixels((folder / "images.npy").absolute(), shape, resize))


def _arrays(folder: Path, raw: RawDataset, pixels: ArrayPixels) -> Index:
    labels = np.array(load_array(folder / "labels.npy"))
    published = {
        part: np.arange(start, stop, dtype="int64")
        for part, (start, stop) in (raw.parts or {}).items()
    }
    return Index(labels, published, pixels)


def _files(folder: Path, size: Size, channels: int | None, resize: Resize) -> Index:
    if size is None:
        raise ValueError("image_size is None for images of many sizes")
    names, parts, sha256 = [], bytearray(), bytearray()
    labels, headers, sizes = array("q"), array("q"), array("q")
    for row in read_index(folder / "index.csv"):
        names.append(row.name)
        labels.append(row.label)
        headers.append(header_size(row.name))
        sizes.append(row.size)
        parts.append(_PART_CODES[row.split])
        sha256 += bytes.fromhex(row.sha256)
    codes = np.frombuffer(parts, "uint8")
    published = {
        part: np.flatnonzero(codes == code)
        for part, code in _PART_CODES.items()
        if part and (codes == code).any()
    }
    return Index(
        np.array(labels, "int64"),
        published,
        FilePixels(
            folder.absolute(),
            offsets(np.array(headers, "int64"), np.array(sizes, "int64")),
            np.array(sizes, "int64"),
            (*sides(size), channels or 3),
            resize,
        ),
        names,
        np.frombuffer(sha256, "S32"),
    )
