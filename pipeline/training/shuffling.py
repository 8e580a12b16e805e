"""The order of an epoch: every image at random, or, of more than memory holds, block by block.

A new order of all images reads a large file at random places, an image at a time. Beyond
`WHOLE_BYTES` the file is read in blocks: their order is new every epoch, so many of them as fit
into `WINDOW_BYTES` are taken together, and the images of these are shuffled. The stage `prepare`
has shuffled the training part once, so that a block is no class of its own.

The sizes are the same on every machine: the order is a function of the seed, the epoch and the
array's shape.
"""

import os
import weakref
from typing import Any

import numpy as np

WHOLE_BYTES = 8 << 30
WINDOW_BYTES = 512 << 20
# A disk that seeks reads so much in the time of a seek or two.
BLOCK_BYTES = 16 << 20


def order(seed: int, epoch: int, inputs: Any) -> np.ndarray:
    """The rows of `inputs` in the order of an epoch, int64 (n,).

    Args:
        inputs: an array, or what has its `shape` and `nbytes`.
    """
    generator = np.random.default_rng([seed, epoch])
    if inputs.nbytes <= WHOLE_BYTES:
        return generator.permutation(len(inputs))
    block, together = sizes(inputs)
    blocks = generator.permutation(-(-len(inputs) // block))
    windows = []
    for start in range(0, len(blocks), together):
        rows = (blocks[start : start + together, None] * block + np.arange(block)).ravel()
        windows.append(generator.permutation(rows[rows < len(inputs)]))
    return np.concatenate(windows)


def sizes(inputs: Any) -> tuple[int, int]:
    """Rows a block, and blocks that are taken together."""
    row = inputs.nbytes // len(inputs)
    block = max(1, BLOCK_BYTES // row)
    return block, max(1, WINDOW_BYTES // (block * row))


class Ahead:
    """Has the system read the blocks that such an order takes together next, before they are used.

    It reads them whole and beside the training; the memory is the system's own, not this process's.
    """

    def __init__(self, inputs: Any) -> None:
        self._inputs = inputs
        self._asked: set[tuple[int, int]] = set()
        self._file: int | None = None
        mapped = isinstance(inputs, np.memmap) and inputs.filename is not None
        if mapped and inputs.nbytes > WHOLE_BYTES and hasattr(os, "posix_fadvise"):
            self._file = os.open(inputs.filename, os.O_RDONLY)
            weakref.finalize(self, os.close, self._file)

    def look(self, epoch: int, rows: np.ndarray, position: int) -> None:
        """`position` is the next image's place in `rows`, the order of the epoch."""
        if self._file is None:
            return
        block, together = sizes(self._inputs)
        size = block * (self._inputs.nbytes // len(self._inputs))
        now = position // (block * together)
        for window in (now, now + 1):
            if (epoch, window) in self._asked:
                continue
            self._asked = {each for each in self._asked if each[0] == epoch} | {(epoch, window)}
            start = window * block * together
            for number in np.unique(rows[start : start + block * together] // block).tolist():
                at = self._inputs.offset + number * size
                os.posix_fadvise(self._file, at, size, os.POSIX_FADV_WILLNEED)
