"""data/raw/images.zip: the encoded images as they came, one after another, and their index.

An ordinary .zip: stored (images are packed already), in the order of the
names, undated, so that the same images give the same bytes. It is written
here rather than by `zipfile` so that a killed stage goes on in the middle of
it, and so that memory does not grow with the number of images.
"""

import csv
import hashlib
import os
import struct
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from pipeline.datasets.tree import Readable
from pipeline.errors import PipelineError
from pipeline.runtime import files

INDEX_COLUMNS = ("name", "label", "split", "size", "sha256")

# The fields of the .zip format (APPNOTE.TXT 6.3, sections 4.3.7, 4.3.12 to 4.3.16).
_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR_64 = struct.Struct("<4sLQL")
_UTF8 = 0x800
_FIRST_DAY = 0x21  # 1980-01-01, the earliest date that a .zip can name
_ORDINARY_FILE = 0o100644 << 16

CHECKPOINT_SECONDS = 10.0

Numbers = npt.NDArray[np.int64]


class Row(NamedTuple):
    """One image in index.csv: `label` is the class index, `split` a published part or ''."""

    name: str
    label: int
    split: str
    size: int
    sha256: str


class ImageZipWriter:
    """Writes images.zip and index.csv in a folder, an image at a time.

    `done` images are there already when a killed writer's folder is taken up;
    their rows stand in entries.csv, their number and the lengths of both files
    in progress.json, which is written when both are on the disk.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._progress = folder / "progress.json"
        kept = files.read_json(self._progress) if self._progress.exists() else {}
        self.done: int = kept.get("images", 0)
        self._end: int = kept.get("bytes", 0)
        self._recorded = time.monotonic()
        flags = os.O_RDWR | os.O_CREAT
        self._zip = os.open(folder / "images.zip", flags, 0o644)
        os.ftruncate(self._zip, self._end)
        self._entries = (folder / "entries.csv").open("a+", encoding="utf-8", newline="")
        self._entries.truncate(kept.get("entries", 0))
        self._rows = csv.writer(self._entries, lineterminator="\n")

    def add(self, name: str, label: int, split: str, source: Readable) -> None:
        """Append one image."""
        encoded = name.encode()
        start = self._end + _LOCAL.size + len(encoded)
        digest, checksum, size = hashlib.sha256(), 0, 0
        while chunk := source.read(1 << 20):
            _write_at(self._zip, chunk, start + size)
            digest.update(chunk)
            checksum = zlib.crc32(chunk, checksum)
            size += len(chunk)
        header = _LOCAL.pack(
            b"PK\x03\x04", 20, _UTF8, 0, 0, _FIRST_DAY, checksum, size, size, len(encoded), 0
        )
        _write_at(self._zip, header + encoded, self._end)
        self._rows.writerow((name, label, split, size, digest.hexdigest(), checksum))
        self._end = start + size
        self.done += 1
        if time.monotonic() - self._recorded > CHECKPOINT_SECONDS:
            self.checkpoint()

    def checkpoint(self) -> None:
        """Bring the images to the disk and then record their number."""
        os.fsync(self._zip)
        self._entries.flush()
        os.fsync(self._entries.fileno())
        entries = os.fstat(self._entries.fileno()).st_size
        record = {"images": self.done, "bytes": self._end, "entries": entries}
        files.write_json(self._progress, record)
        self._recorded = time.monotonic()

    def finish(self) -> None:
        """Write the directory of the .zip and index.csv, and remove the files of progress."""
        self.checkpoint()
        files.write_csv(
            self.folder / "index.csv", INDEX_COLUMNS, (row[:5] for row in self._read_entries())
        )
        with os.fdopen(os.dup(self._zip), "wb", 1 << 20) as out:
            out.seek(self._end)
            offset = 0
            for name, _, _, size, _, checksum in self._read_entries():
                encoded = name.encode()
                out.write(_central(encoded, int(size), int(checksum), offset))
                offset += _LOCAL.size + len(encoded) + int(size)
            out.write(_end(self.done, self._end, out.tell() - self._end))
            out.flush()
            os.fsync(out.fileno())
        self.close()
        self._progress.unlink()
        (self.folder / "entries.csv").unlink()

    def close(self) -> None:
        """Close the files; without `finish`, a later writer goes on from the last record."""
        self._entries.close()
        if self._zip >= 0:
            os.close(self._zip)
            self._zip = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._zip >= 0:
            try:
                self.checkpoint()
            finally:
                self.close()

    def _read_entries(self) -> Iterator[list[str]]:
        with (self.folder / "entries.csv").open(encoding="utf-8", newline="") as file:
            yield from csv.reader(file)


def read_index(path: Path) -> Iterator[Row]:
    """The rows of index.csv."""
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file)
        next(reader)
        for name, label, split, size, sha256 in reader:
            yield Row(name, int(label), split, int(size), sha256)


def offsets(name_lengths: Numbers, sizes: Numbers) -> Numbers:
    """Where in images.zip each image's bytes begin, from the lengths of all names (in UTF-8)
    and images, in bytes."""
    starts: Numbers = np.cumsum(_LOCAL.size + name_lengths + sizes) - sizes
    return starts


def read_image(file: int, offset: int, size: int, name_length: int) -> bytes:
    """The bytes of one image, from an open file descriptor of images.zip."""
    before = _LOCAL.size + name_length
    data = os.pread(file, before + size, offset - before)
    if not data.startswith(b"PK\x03\x04") or len(data) < before + size:
        raise PipelineError(
            "data/raw: images.zip and index.csv differ; run `dvc repro -f download`"
        )
    return data[before:]


def _write_at(file: int, data: bytes, offset: int) -> None:
    left = memoryview(data)
    while left:
        written = os.pwrite(file, left, offset)
        left, offset = left[written:], offset + written


def _central(name: bytes, size: int, checksum: int, offset: int) -> bytes:
    extra = struct.pack("<2HQ", 1, 8, offset) if offset >= 0xFFFFFFFF else b""
    version = 45 if extra else 20
    fields = (0x300 | version, version, _UTF8, 0, 0, _FIRST_DAY, checksum, size, size)
    lengths = (len(name), len(extra), 0, 0, 0)
    start = _CENTRAL.pack(b"PK\x01\x02", *fields, *lengths, _ORDINARY_FILE, min(offset, 0xFFFFFFFF))
    return start + name + extra


def _end(count: int, start: int, size: int) -> bytes:
    last = _END.pack(
        b"PK\x05\x06",
        *(0, 0, min(count, 0xFFFF), min(count, 0xFFFF)),
        *(min(size, 0xFFFFFFFF), min(start, 0xFFFFFFFF), 0),
    )
    if count < 0xFFFF and max(start, size) < 0xFFFFFFFF:
        return last
    whole = _END_64.pack(b"PK\x06\x06", 44, 0x32D, 45, 0, 0, count, count, size, start)
    return whole + _LOCATOR_64.pack(b"PK\x06\x07", 0, start + size, 1) + last
