"""Which part of every batch is whose, where a batch is divided over several replicas."""

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Share:
    """One process' part of the batches: `rank`, from 0, of `processes`, which together have
    `replicas` devices. Each device has a run of rows of a batch, in their order."""

    replicas: int = 1
    processes: int = 1
    rank: int = 0

    @property
    def first(self) -> bool:
        """Whether this process is the one that writes and prints."""
        return self.rank == 0

    def whole(self, count: int) -> int:
        """The largest number up to `count` that can be divided."""
        return count - count % self.replicas

    def padded(self, count: int) -> int:
        """The smallest number from `count` on that can be divided."""
        return -(-count // self.replicas) * self.replicas

    def own(self, count: int) -> slice:
        """This process' rows of a batch of `count`, which can be divided."""
        each = count // self.processes
        return slice(self.rank * each, (self.rank + 1) * each)

    def parts(self, count: int) -> list[slice]:
        """The rows of each of this process' devices."""
        each, devices = count // self.replicas, self.replicas // self.processes
        first = self.rank * devices
        return [slice(i * each, (i + 1) * each) for i in range(first, first + devices)]


# All of every batch is one process', on one device.
ALONE = Share()


class Part:
    """A generator for some rows of a batch: it draws for the whole, and gives out theirs.

    Args:
        count: the batch's rows.
    """

    def __init__(self, generator: np.random.Generator, count: int, rows: slice) -> None:
        self._generator = generator
        self._count = count
        self._rows = rows

    def random(self, size: int) -> Any:
        return self._generator.random(self._count)[self._rows]

    def integers(self, low: int, high: int, size: int) -> Any:
        return self._generator.integers(low, high, self._count)[self._rows]

    def uniform(self, low: float, high: float, size: int | tuple[int, int]) -> Any:
        whole = self._count if isinstance(size, int) else (*size[:-1], self._count)
        return self._generator.uniform(low, high, whole)[..., self._rows]
