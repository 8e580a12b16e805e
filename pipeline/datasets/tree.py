"""What a person's folder and a person's archive have in common: files under names."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol, Self

from pipeline.datasets.names import is_image, shown
from pipeline.errors import PipelineError

LARGEST_FILE = 4 << 30


class Entry(NamedTuple):
    """One file: its name (parts joined by /), its size in bytes, and where it is to be read."""

    name: str
    size: int
    place: Any


def check_image(title: str, name: str, size: int) -> None:
    """Refuse a file that is called an image, and is too large for one or breaks every table."""
    if not is_image(name):
        return
    if size >= LARGEST_FILE:
        raise PipelineError(f"{title}: {shown(name)}: over 4 GiB, which is no image")
    if "\r" in name:
        raise PipelineError(f"{title}: {shown(name)}: a carriage return in its name; rename it")


def twice(title: str, name: str) -> PipelineError:
    """Why a name that two files have is refused."""
    return PipelineError(f"{title}: {shown(name)} is there twice; keep one of the two")


class Readable(Protocol):
    """An open file, as far as it is used here."""

    def read(self, size: int = -1, /) -> bytes: ...


class Tree(ABC):
    """The files of a folder or an archive, without the hidden ones; `hidden` counts those.

    `title` is the last name of the path, for messages; `folders` are the names
    of all folders, empty ones too; `fingerprint` changes when the files do, as
    far as one can tell without reading them. One that is `portable` can be sent
    to another process.
    """

    portable = True

    title: str
    files: list[Entry]
    folders: set[str]
    hidden: int
    fingerprint: str

    @abstractmethod
    def open(self, entry: Entry) -> AbstractContextManager[Readable]:
        """Open a file for reading its bytes."""

    def read(self, entries: Sequence[Entry]) -> Iterator[AbstractContextManager[Readable]]:
        """Open these files, one after the other."""
        return map(self.open, entries)

    def unlisted(self) -> Self:
        """The same without the listing, which may be long, to open files of."""
        light = copy.copy(self)
        light.files, light.folders = [], set()
        return light
