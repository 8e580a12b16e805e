"""Which part of every batch is whose, where a batch is divided over several replicas."""

from dataclasses import dataclass


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


# All of every batch is one process', on one device.
ALONE = Share()
