"""CIFAR-100 from its author's binary archive."""

from pipeline.datasets.readers.arrays import Arrays, Paths
from pipeline.datasets.readers.cifar import read_archive
from pipeline.datasets.registry import Descriptor


def read(descriptor: Descriptor, paths: Paths) -> Arrays:
    """Rows of a coarse label, a fine label and 3,072 bytes; the fine one is used."""
    return read_archive(
        descriptor, paths, ["cifar-100-binary/train.bin"], "cifar-100-binary/test.bin", 2
    )
