"""What a published file holds, by the names of its contents, however it is packed."""

import bz2
import gzip
import hashlib
import lzma
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Any

from pipeline.datasets.archive import damage_in_one_line

LARGEST = 1 << 30  # bytes of one of the contents; Fashion-MNIST has 47 MB in one

_PACKED: dict[bytes, Callable[[Any], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}

# A file's last name, and the file opened.
_Member = tuple[str, Callable[[], IO[bytes]]]


def contents(path: Path, names: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """The named contents that are in `path`, each by its name, in whatever order they come.

    `path` is a folder that holds them, a .zip, a .tar, or one of them itself; the tar and
    the single files plain or packed by gzip, bzip2 or xz. The kind is told from the
    first bytes. A file is known by its last name, whatever folder of an archive it is
    in; what has another name, is no regular file or over 1 GiB is passed over.

    Raises:
        PipelineError: a damaged file.
    """
    wanted = {PurePosixPath(name).name: name for name in names}
    with damage_in_one_line(path.name):
        for last, opened in _members(path):
            last = without_packing(last)
            if last not in wanted:
                continue
            with opened() as file, _unpacked(file) as source:
                data = source.read(LARGEST + 1)
            if len(data) <= LARGEST:
                yield wanted.pop(last), data


def without_packing(name: str) -> str:
    """A file's name without .gz, .bz2 or .xz."""
    return name.removesuffix(".gz").removesuffix(".bz2").removesuffix(".xz")


def sha256(data: bytes) -> str:
    """SHA-256 (hex)."""
    return hashlib.sha256(data).hexdigest()


def _members(path: Path) -> Iterator[_Member]:
    if path.is_dir():
        for each in sorted(path.iterdir()):
            if each.is_file():
                yield each.name, partial(_opened, each)
        return
    with path.open("rb") as file:
        is_zip = file.read(4) in (b"PK\x03\x04", b"PK\x05\x06")
    if is_zip:
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                if not info.is_dir():
                    yield PurePosixPath(info.filename).name, partial(archive.open, info)
        return
    with path.open("rb") as file, _unpacked(file) as source:
        try:
            tar = tarfile.open(fileobj=source, mode="r|")  # noqa: SIM115 - closed below
        except tarfile.ReadError:
            yield path.name, partial(_opened, path)
            return
        with tar:
            for member in tar:
                if member.isreg():
                    yield PurePosixPath(member.name).name, partial(_of, tar, member)


def _opened(path: Path) -> IO[bytes]:
    return path.open("rb")


def _of(tar: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    file = tar.extractfile(member)
    assert file is not None, "a regular file"
    return file


def _unpacked(file: IO[bytes]) -> Any:
    """The file, read through the packing that its first bytes tell of."""
    head = file.peek(6)  # type: ignore[attr-defined]  # all that come here have it
    opener = next((each for magic, each in _PACKED.items() if head.startswith(magic)), None)
    return opener(file) if opener else file
