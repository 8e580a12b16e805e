"""One kind of what can go."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Waste:
    """`count` things of one kind, of `bytes` in all; `remove` removes them for good."""

    what: str
    count: int
    bytes: int
    remove: Callable[[], None]


def size(paths: Iterable[Path]) -> int:
    """The bytes of files, and of all files below folders; of what is not there none."""
    found = 0
    for path in paths:
        for file in path.rglob("*") if path.is_dir() else [path]:
            if file.is_file() and not file.is_symlink():
                found += file.stat().st_size
    return found
