"""data/raw's images-00000.tar, images-00001.tar …: the encoded images as they came.

Ordinary .tar files (POSIX pax, as `tarfile` writes them and WebDataset reads
them) of `SHARD_IMAGES` images each, in the order of the names, without dates
or owners. A shard is decided by its slice of the listing and by the files, so
that whoever writes it writes the same bytes. What `tarfile` has not: a killed
writer goes on in the middle of a shard, and an image is read where it stands,
without a look at the others' headers.
"""

import csv
import hashlib
import os
import tarfile
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple, Self, TypeVar

import numpy as np
import numpy.typing as npt

from pipeline.datasets.tree import Readable
from pipeline.errors import PipelineError
from pipeline.runtime import files

INDEX_COLUMNS = ("name", "label", "split", "size", "sha256")

# Of photographs 100 MB or so: a few seconds' work for one process, a file that is copied in
# one go, and the shard of image 123,456 is number 123.
SHARD_IMAGES = 1_000

CHECKPOINT_SECONDS = 10.0

_BLOCK = tarfile.BLOCKSIZE
_END = 2 * _BLOCK  # zeros that end a .tar

Numbers = npt.NDArray[np.int64]
Number = TypeVar("Number", int, Numbers)


class Row(NamedTuple):
    """One image in index.csv: `label` is the class index, `split` a published part or ''."""

    name: str
    label: int
    split: str
    size: int
    sha256: str


class ShardWriter:
    """Writes one shard, an image at a time.

    `record` is a table of the images that are safely in it, rows as in
    index.csv: where a killed writer left one, a new writer goes on after its
    last row. The shard is a whole .tar whenever the record is written, and at
    the end of the `with` block.
    """

    def __init__(self, folder: Path, number: int, record: Path) -> None:
        self._record = record
        self._rows = list(read_index(record)) if record.exists() else []
        self._recorded, self._time = len(self._rows), time.monotonic()
        self._end = sum(header_size(row.name) + _padded(row.size) for row in self._rows)
        folder.mkdir(parents=True, exist_ok=True)
        self._file = os.open(shard(folder, number), os.O_RDWR | os.O_CREAT, 0o644)
        self._cut()

    @property
    def done(self) -> int:
        """How many images are there."""
        return len(self._rows)

    def add(self, name: str, label: int, split: str, source: Readable) -> None:
        """Append one image."""
        start = self._end + header_size(name)
        digest, size = hashlib.sha256(), 0
        while chunk := source.read(1 << 20):
            _write_at(self._file, chunk, start + size)
            digest.update(chunk)
            size += len(chunk)
        padding = bytes(_padded(size) - size)
        _write_at(self._file, padding, start + size)
        # Last, for only now the size is known: a file may have grown since it was listed.
        _write_at(self._file, _header(name, size), self._end)
        self._rows.append(Row(name, label, split, size, digest.hexdigest()))
        self._end = start + size + len(padding)
        if time.monotonic() - self._time > CHECKPOINT_SECONDS:
            self.checkpoint()

    def checkpoint(self) -> None:
        """Bring the images to the disk and then record them."""
        self._cut()
        os.fsync(self._file)
        files.write_csv(self._record, INDEX_COLUMNS, self._rows)
        self._recorded, self._time = len(self._rows), time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        try:
            if self.done > self._recorded:
                self.checkpoint()
        finally:
            os.close(self._file)

    def _cut(self) -> None:
        """End the .tar after the last whole image; zeros that are not written take no room."""
        os.ftruncate(self._file, self._end)
        os.ftruncate(self._file, self._end + _END)


def shard(folder: Path, number: int) -> Path:
    """The file of a shard in data/raw."""
    return folder / f"images-{number:05}.tar"


def read_index(path: Path) -> Iterator[Row]:
    """The rows of index.csv, or of a shard's record."""
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file)
        next(reader)
        for name, label, split, size, sha256 in reader:
            yield Row(name, int(label), split, int(size), sha256)


def write_index(path: Path, records: Iterable[Path]) -> None:
    """Write index.csv from the records of all shards, in their order."""
    files.write_csv(path, INDEX_COLUMNS, (row for record in records for row in read_index(record)))


def header_size(name: str) -> int:
    """How many bytes stand before an image of this name: what `_header` gives, without the
    30 µs that it takes, for every image's place is computed from these."""
    if name.isascii() and len(name) <= tarfile.LENGTH_NAME:
        return _BLOCK
    record = len(f" path={name}\n".encode())
    record += len(str(record + len(str(record))))  # a pax record begins with its own length
    return 2 * _BLOCK + _padded(record)


def offsets(header_sizes: Numbers, sizes: Numbers) -> Numbers:
    """Where in its shard each image begins, from all images' `header_size` and size in bytes."""
    ends = np.cumsum(header_sizes + _padded(sizes))
    firsts = np.arange(len(ends)) // SHARD_IMAGES * SHARD_IMAGES
    before = np.concatenate([[0], ends])[firsts]
    starts: Numbers = ends - _padded(sizes) - before
    return starts


def read_images(
    folder: Path, rows: Sequence[int], offsets: Sequence[int], sizes: Sequence[int]
) -> Iterator[tuple[int, bytes]]:
    """Images by their rows in index.csv, offsets and sizes: the number in these lists, and bytes.

    They come in the order of data/raw, so that each shard is opened once.

    Raises:
        PipelineError: another image stands there, or none.
    """
    places = sorted(zip(rows, offsets, sizes, range(len(rows)), strict=True))
    for number, images in groupby(places, lambda place: place[0] // SHARD_IMAGES):
        path = shard(folder, number)
        if not path.exists():
            raise _differ(path)
        with path.open("rb", buffering=0) as file:
            for _, offset, size, place in images:
                data = os.pread(file.fileno(), _BLOCK + size, offset - _BLOCK)
                header, image = data[:_BLOCK], data[_BLOCK:]
                found = header[124:135], header[257:262], len(image)
                if found != (b"%011o" % size, b"ustar", size):
                    raise _differ(path)
                yield place, image


def _differ(path: Path) -> PipelineError:
    return PipelineError(f"data/raw: {path.name} and index.csv differ; run `dvc repro -f download`")


def _write_at(file: int, data: bytes, offset: int) -> None:
    left = memoryview(data)
    while left:
        written = os.pwrite(file, left, offset)
        left, offset = left[written:], offset + written


def _header(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size = size
    return info.tobuf(tarfile.PAX_FORMAT)


def _padded(size: Number) -> Number:
    """`size` rounded up to whole blocks."""
    return -(-size // _BLOCK) * _BLOCK
