"""An archive of images: .zip or .tar, read in place and never unpacked to files of its names.

Nothing in an archive is trusted: a name that leads out of it, a link that
does, an encrypted or special file, and a bomb are each refused in one line.
"""

import errno
import hashlib
import posixpath
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from lzma import LZMAError
from pathlib import Path
from tarfile import TarError

from pipeline.datasets.names import decode, is_hidden, shown
from pipeline.datasets.tree import Entry, Readable, Tree, check_image, twice
from pipeline.errors import PipelineError

# What an archive may unpack to: 100 times its own size, and 1 GiB at the least.
# Images are packed already and shrink a few times at most; zeros shrink 1,000 times.
LARGEST_RATIO = 100
ALWAYS_ALLOWED = 1 << 30


def budget(path: Path) -> int:
    """The bytes that an archive may unpack to."""
    return max(ALWAYS_ALLOWED, LARGEST_RATIO * path.stat().st_size)


def check_budget(path: Path, total: int) -> None:
    """Refuse an archive whose files have more bytes together than its budget."""
    if total > budget(path):
        raise PipelineError(
            f"{path.name}: unpacks to more than {budget(path) / 1e9:.1f} GB, over {LARGEST_RATIO} "
            "times its size: refused as a bomb; if it is none, unpack it and name the folder"
        )


@contextmanager
def damage_in_one_line(title: str) -> Iterator[None]:
    """Turn what zipfile, tarfile and the unpackers raise into a PipelineError."""
    try:
        yield
    except OSError as error:
        # A full disk is no damaged archive; a place before the file's start (EINVAL) is one.
        if error.errno not in (None, errno.EINVAL):
            raise
        raise PipelineError(_damaged(title, error)) from None
    except (
        zipfile.BadZipFile,
        zipfile.LargeZipFile,
        TarError,
        EOFError,
        LZMAError,
        zlib.error,
        struct.error,
        NotImplementedError,
        RuntimeError,
        ValueError,
    ) as error:
        raise PipelineError(_damaged(title, error)) from None


def _damaged(title: str, error: Exception) -> str:
    return f"{title}: damaged or of an unknown kind ({shown(str(error) or 'it ends too early')})"


class Archive(Tree):
    """The files of an archive; see `Tree`. A subclass calls `_file`, `_folder` and `_link` for
    what it finds, and `_finish` at the end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.title = path.name
        self.files: list[Entry] = []
        self.folders: set[str] = set()
        self.hidden = 0
        self._total = 0
        self._links: dict[str, str] = {}
        self._seen: set[str] = set()
        status = path.stat()
        text = f"{path.name!a} {status.st_size} {status.st_mtime_ns}"
        self.fingerprint = hashlib.sha256(text.encode()).hexdigest()

    def _name(self, given: str) -> str | None:
        """The name without its '.' steps; None for a hidden file."""
        if given.startswith("/") or re.match(r"[A-Za-z]:[/\\]", given):
            raise PipelineError(
                f"{self.title}: {shown(given)} is an absolute path; an archive may hold none"
            )
        steps = [step for step in given.split("/") if step not in ("", ".")]
        if ".." in steps:
            raise PipelineError(
                f"{self.title}: {shown(given)} leads out of the archive; an archive may not do that"
            )
        if any(is_hidden(step) for step in steps):
            self.hidden += 1
            return None
        for depth in range(1, len(steps)):
            self.folders.add("/".join(steps[:depth]))
        return "/".join(steps)

    def _folder(self, given: str) -> None:
        name = self._name(given)
        if name:
            self.folders.add(name)

    def _file(self, given: str, size: int, place: object) -> None:
        self._total += size
        check_budget(self.path, self._total)
        name = self._name(given)
        if name is None:
            return
        check_image(self.title, name, size)
        if name in self._seen:
            raise twice(self.title, name)
        self._seen.add(name)
        self.files.append(Entry(name, size, place))

    def _link(self, given: str, target: str) -> None:
        """Remember a link to `target`, a name in the archive that may have '..' steps."""
        name = self._name(given)
        target = posixpath.normpath(target)
        if target.startswith(("/", "../")) or target == "..":
            raise PipelineError(
                f"{self.title}: {shown(given)} is a link out of the archive, to {shown(target)}"
            )
        if name is not None:
            self._links[name] = target

    def _finish(self) -> None:
        """Give each link the bytes of the file that it leads to."""
        there = {entry.name: entry for entry in self.files} if self._links else {}
        for name, first in self._links.items():
            target, steps = first, 0
            while target in self._links and steps <= len(self._links):
                target, steps = self._links[target], steps + 1
            if target not in there:
                raise PipelineError(
                    f"{self.title}: {shown(name)} is a link to {shown(first)}, "
                    "which is no file of the archive"
                )
            self._file(name, there[target].size, there[target].place)
        self._links.clear()
        self._seen.clear()

    def _refuse(self, given: str, what: str, instead: str) -> PipelineError:
        return PipelineError(f"{self.title}: {shown(given)} is {what}; {instead}")


class Zip(Archive):
    """A .zip. One process reads it, for each would have to read its long table first."""

    portable = False

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        with damage_in_one_line(self.title):
            self._zip = zipfile.ZipFile(path)
            for info in self._zip.infolist():
                self._take(info)
            self._finish()

    def open(self, entry: Entry) -> AbstractContextManager[Readable]:
        return self._zip.open(entry.place)

    def _take(self, info: zipfile.ZipInfo) -> None:
        name = _zip_name(info)
        if info.flag_bits & 0x1:
            raise self._refuse(name, "encrypted", "unpack it with its password, name the folder")
        kind = stat.S_IFMT(info.external_attr >> 16)
        if name.endswith("/"):
            self._folder(name)
        elif kind == stat.S_IFLNK:
            with self._zip.open(info) as file:
                target = file.read(4096).decode("utf-8", "replace")
            self._link(name, posixpath.join(posixpath.dirname(name), target))
        elif kind in (0, stat.S_IFREG):
            self._file(name, info.file_size, info)
        else:
            raise self._refuse(name, "a special file", "an archive of images may hold none")


def _zip_name(info: zipfile.ZipInfo) -> str:
    """An entry's name; UTF-8 if it says so, else of unknown encoding, which zipfile reads as
    cp437. Some systems write \\ between its parts."""
    name = info.orig_filename.split("\0")[0]
    raw = name.encode("utf-8" if info.flag_bits & 0x800 else "cp437")
    return decode(raw, otherwise="cp437").replace("\\", "/")
