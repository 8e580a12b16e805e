"""Files, folders and globs to pixels, read as the pipeline read the images of the training."""

import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.datasets.decode import MOST_BYTES, UnreadableError, decode
from pipeline.datasets.names import is_hidden, is_image, shown
from pipeline.datasets.resizing import Resize
from pipeline.errors import PipelineError

Pixels = npt.NDArray[np.uint8]

# What is held at a time: images, and bytes of their pixels.
CHUNK = 256
CHUNK_BYTES = 64 << 20


def find(arguments: Sequence[str]) -> list[Path]:
    """The images that the arguments name, in their order.

    A file is taken whatever its ending. Of a folder and those below it the
    files are taken whose names are images', sorted, hidden ones left out. An
    argument with * or ? or [ that is no file itself is a glob (** goes through
    folders), for shells that were kept from expanding it.

    Raises:
        PipelineError: nothing is there, or no image is in it.
    """
    found: list[Path] = []
    for argument in arguments:
        path = Path(argument)
        if path.is_dir():
            inside = list(_below(path))
            if not inside:
                raise PipelineError(f"{shown(argument)}: no image in this folder")
            found += inside
        elif path.exists() or not glob.has_magic(argument):
            found.append(path)
        else:
            # glob.glob, for Path.glob takes no absolute pattern.
            matched = sorted(map(Path, glob.glob(argument, recursive=True)))  # noqa: PTH207
            files = [path for path in matched if path.is_file()]
            if not files:
                raise PipelineError(f"{shown(argument)}: no file fits this pattern")
            found += files
    return found


def _below(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        for name in sorted(names):
            if is_image(name) and not is_hidden(name):
                yield Path(place) / name


def read(path: Path, shape: tuple[int, int, int], resize: Resize) -> Pixels:
    """One image file as uint8 (height, width, channels).

    Raises:
        UnreadableError: it is not there, no image, damaged or too large.
    """
    try:
        if path.is_dir():
            raise UnreadableError("a folder")
        if path.stat().st_size > MOST_BYTES:
            raise UnreadableError(f"over {MOST_BYTES >> 20} MB")
        data = path.read_bytes()
    except FileNotFoundError:
        raise UnreadableError("not there") from None
    except OSError as error:
        raise UnreadableError(f"cannot be read ({error.strerror})") from None
    return pixels(data, shape, resize)


def pixels(data: bytes, shape: tuple[int, int, int], resize: Resize) -> Pixels:
    """An encoded image as uint8 (height, width, channels), resized as those of the training.

    Raises:
        UnreadableError: no image, or a damaged one.
    """
    found: Pixels = decode(data, shape, resize)[0]
    return found


def chunks(shape: tuple[int, int, int]) -> int:
    """How many images of this shape are held at a time."""
    return max(1, min(CHUNK, CHUNK_BYTES // int(np.prod(shape))))
