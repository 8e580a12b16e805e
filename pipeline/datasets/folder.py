"""A folder of images on a person's own disk."""

import hashlib
import os
import stat
from contextlib import AbstractContextManager
from pathlib import Path

from pipeline.datasets.names import decode, is_hidden, is_image, shown
from pipeline.datasets.tree import Entry, Readable, Tree, check_image
from pipeline.errors import PipelineError


class Folder(Tree):
    """The files below a folder. Links to files are followed, links to folders are refused:
    DVC does not look behind them, and would not notice a change there.

    Raises:
        PipelineError: a folder or file that cannot be read, a link to a
            folder, an image that is no ordinary file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.title = path.name
        self.files: list[Entry] = []
        self.folders: set[str] = set()
        self.hidden = 0
        digest = hashlib.sha256()
        waiting = [""]
        while waiting:
            waiting.extend(self._read(waiting.pop(), digest))
        self.fingerprint = digest.hexdigest()

    def open(self, entry: Entry) -> AbstractContextManager[Readable]:
        try:
            return (self.path / entry.place).open("rb")
        except OSError as error:
            raise self._unreadable(entry.name, error) from None

    def _read(self, folder: str, digest: "hashlib._Hash") -> list[str]:
        """Take in what stands directly in one folder; return the folders in it."""
        below = []
        try:
            with os.scandir(self.path / folder) as found:
                # Sorted, so that the fingerprint is independent of the file system.
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            raise self._unreadable(folder, error) from None
        for entry in entries:
            place = f"{folder}/{entry.name}" if folder else entry.name
            if is_hidden(entry.name):
                self.hidden += 1
                continue
            name = decode(os.fsencode(place), otherwise="latin-1")
            if entry.is_dir():
                if entry.is_symlink():
                    raise PipelineError(
                        f"{self.title}: {shown(name)} is a link to a folder, in which DVC would "
                        "notice no change; put the folder itself there"
                    )
                self.folders.add(name)
                below.append(place)
                continue
            try:
                status = entry.stat()
            except OSError as error:
                raise self._unreadable(name, error) from None
            if not stat.S_ISREG(status.st_mode):
                if is_image(name):
                    raise PipelineError(f"{self.title}: {shown(name)} is not an ordinary file")
                continue
            check_image(self.title, name, status.st_size)
            self.files.append(Entry(name, status.st_size, place))
            digest.update(f"{name!a} {status.st_size} {status.st_mtime_ns}\n".encode())
        return below

    def _unreadable(self, name: str, error: OSError) -> PipelineError:
        where = f"{self.title}: {shown(name)}" if name else self.title
        return PipelineError(f"{where}: cannot be read ({error.strerror})")
