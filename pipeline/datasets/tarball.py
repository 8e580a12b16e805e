"""A .tar of images, packed or not. A packed one is unpacked to one plain .tar first, for only
that can be read in the order of the names."""

import bz2
import gzip
import lzma
import os
import posixpath
import tarfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO

from pipeline.datasets.archive import Archive, Zip, check_budget, damage_in_one_line
from pipeline.datasets.names import decode
from pipeline.datasets.tree import Entry, Readable, Tree
from pipeline.errors import PipelineError
from pipeline.runtime import files

_PACKED: dict[bytes, Callable[[Path], AbstractContextManager[Readable]]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}
_OTHERS = {b"7z\xbc\xaf\x27\x1c": ".7z", b"Rar!": ".rar", b"\x28\xb5\x2f\xfd": ".zst"}
_BLOCK = 512


def open_archive(path: Path, scratch: Path) -> Tree:
    """The files of an archive, whatever its ending says it is.

    `scratch` is a folder for the plain form of a packed .tar; what an earlier
    call left there is used again.

    Raises:
        PipelineError: not an archive, a damaged one, or one that is refused.
    """
    try:
        with path.open("rb") as file:
            start = file.read(_BLOCK)
    except OSError as error:
        raise PipelineError(f"{path.name}: cannot be read ({error.strerror})") from None
    if start.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return Zip(path)
    if any(start.startswith(magic) for magic in _PACKED):
        return Tar(path, _plain(path, scratch))
    if start[257:262] == b"ustar":
        return Tar(path, path)
    other = next((name for magic, name in _OTHERS.items() if start.startswith(magic)), None)
    kind = f"a {other}, which the pipeline does not read" if other else "not an archive"
    raise PipelineError(
        f"{path.name}: {kind}; expected a folder, or a .zip, .tar, .tar.gz, .tar.bz2 or .tar.xz"
    )


def _plain(path: Path, scratch: Path) -> Path:
    """Unpack a .tar.gz, .tar.bz2 or .tar.xz to a plain .tar, within its budget."""
    plain = scratch / "plain.tar"
    if plain.exists():
        return plain
    with path.open("rb") as file:
        start = file.read(6)
    unpack = next(opener for magic, opener in _PACKED.items() if start.startswith(magic))
    total = 0
    with (
        files.atomic(plain) as partial,
        damage_in_one_line(path.name),
        unpack(path) as source,
        partial.open("wb") as out,
    ):
        while chunk := source.read(1 << 20):
            total += len(chunk)
            check_budget(path, total)
            out.write(chunk)
    return plain


class Tar(Archive):
    """A .tar: `path` as the person named it, `plain` the same without packing."""

    def __init__(self, path: Path, plain: Path) -> None:
        super().__init__(path)
        self.plain = plain
        with damage_in_one_line(self.title), tarfile.open(plain, "r:") as tar:
            for member in tar:
                self._take(member)
                tar.members.clear()  # type: ignore[attr-defined]  # 2 kB a file otherwise
            self._check_end(tar.offset)
            self._finish()

    @contextmanager
    def open(self, entry: Entry) -> Iterator[Readable]:
        with self.plain.open("rb") as file:
            yield _Range(file, entry.place, entry.size)

    def _take(self, member: tarfile.TarInfo) -> None:
        name = _text(member.name)
        if member.isdir():
            self._folder(name)
        elif member.issym():
            self._link(name, posixpath.join(posixpath.dirname(name), _text(member.linkname)))
        elif member.islnk():
            self._link(name, _text(member.linkname))
        elif member.isreg() and not member.issparse():
            self._file(name, member.size, member.offset_data)
        else:
            raise self._refuse(name, "a special file", "an archive of images may hold none")

    def _check_end(self, offset: int) -> None:
        """A header that cannot be read ends tarfile's list like a regular end: tell them apart."""
        with self.plain.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(offset)
            block = file.read(_BLOCK)
        if offset > size or block.strip(b"\0"):
            raise PipelineError(f"{self.title}: damaged ({offset:,} bytes in)")


def _text(name: str) -> str:
    return decode(name.encode("utf-8", "surrogateescape"), otherwise="latin-1")


class _Range:
    """The bytes from `start` of an open file, `size` of them."""

    def __init__(self, file: IO[bytes], start: int, size: int) -> None:
        file.seek(start)
        self._file = file
        self._left = size

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(data)
        return data
