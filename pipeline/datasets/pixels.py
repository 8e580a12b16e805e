"""The pixels of data/raw in the shape that the model takes, any rows in any order."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.datasets.resizing import Resize
from pipeline.datasets.shards import read_images
from pipeline.runtime.arrays import load_array

Pixels = npt.NDArray[np.uint8]
Indices = npt.NDArray[np.int64]
Sizes = npt.NDArray[np.int32]  # (N, 2): width and height as the image came; 0, 0 if unreadable

# A chunk, which is the work of one process at a time, has no more bytes than this, in or out.
_CHUNK_BYTES = 4 << 20
_CHUNK_ROWS = 256
# Below this starting a second process takes longer than the work.
_PARALLEL_BYTES = 8 << 20


@dataclass(frozen=True)
class ArrayTask:
    """Some rows to be read: their pixels, uint8 (n, H, W, C), and sizes."""

    path: Path
    rows: Indices
    shape: tuple[int, int, int]
    resize: Resize

    def run(self) -> tuple[Pixels, Sizes]:
        images = load_array(self.path)
        _, height, width, _ = images.shape
        pixels, shape = images[self.rows], self.shape
        if pixels.shape[1:] != shape:
            from PIL import Image

            from pipeline.datasets.decode import convert

            planes = [Image.fromarray(_plane(image)) for image in pixels]
            pixels = np.stack([convert(plane, shape, self.resize) for plane in planes])
        sizes = np.tile(np.array([width, height], "int32"), (len(self.rows), 1))
        return pixels, sizes


@dataclass(frozen=True)
class ArrayPixels:
    """images.npy of a named data set."""

    path: Path
    shape: tuple[int, int, int]
    resize: Resize

    def tasks(self, rows: Indices) -> Iterator[ArrayTask]:
        step = _rows_for(self.shape)
        for start in range(0, len(rows), step):
            yield ArrayTask(self.path, rows[start : start + step], self.shape, self.resize)

    def is_long(self, rows: Indices) -> bool:
        converted = load_array(self.path).shape[1:] != self.shape
        return converted and len(rows) * int(np.prod(self.shape)) > 4 * _PARALLEL_BYTES


@dataclass(frozen=True)
class FileTask:
    """The same of encoded images."""

    folder: Path
    rows: list[int]
    offsets: list[int]
    sizes: list[int]
    shape: tuple[int, int, int]
    resize: Resize

    def run(self) -> tuple[Pixels, Sizes]:
        from pipeline.datasets.decode import UnreadableError, decode

        pixels = np.zeros((len(self.rows), *self.shape), "uint8")
        sizes = np.zeros((len(self.rows), 2), "int32")
        for number, data in read_images(self.folder, self.rows, self.offsets, self.sizes):
            with suppress(UnreadableError):
                pixels[number], sizes[number] = decode(data, self.shape, self.resize)
        return pixels, sizes


@dataclass(frozen=True)
class FilePixels:
    """The shards of a folder or archive of one's own in `folder`; see `pipeline.datasets.shards`.

    `offsets` and `sizes` (in bytes) have an element for each image.
    """

    folder: Path
    offsets: Indices
    sizes: Indices
    shape: tuple[int, int, int]
    resize: Resize

    def tasks(self, rows: Indices) -> Iterator[FileTask]:
        most = _rows_for(self.shape)
        start = 0
        while start < len(rows):
            ends = np.cumsum(self.sizes[rows[start : start + most]])
            count = max(1, int(np.searchsorted(ends, _CHUNK_BYTES, side="right")))
            yield self._task(rows[start : start + count])
            start += count

    def is_long(self, rows: Indices) -> bool:
        return int(self.sizes[rows].sum()) > _PARALLEL_BYTES or len(rows) > 5_000

    def reason(self, row: int) -> str:
        """Why an image cannot be read."""
        from pipeline.datasets.decode import UnreadableError, decode

        offset, size = int(self.offsets[row]), int(self.sizes[row])
        ((_, data),) = read_images(self.folder, [row], [offset], [size])
        try:
            decode(data, self.shape, self.resize)
        except UnreadableError as error:
            return str(error)
        return "unreadable"

    def _task(self, rows: Indices) -> FileTask:
        offsets, sizes = self.offsets[rows].tolist(), self.sizes[rows].tolist()
        return FileTask(self.folder, rows.tolist(), offsets, sizes, self.shape, self.resize)


def _rows_for(shape: tuple[int, int, int]) -> int:
    """How many images of this shape make a task."""
    return max(1, min(_CHUNK_ROWS, _CHUNK_BYTES // int(np.prod(shape))))


def _plane(pixels: Pixels) -> Pixels:
    """Grey images without their last axis, as Pillow takes them."""
    return pixels[..., 0] if pixels.shape[-1] == 1 else pixels
