"""CIFAR-100 from its author's binary files."""

from pipeline.datasets.readers.arrays import Arrays, Contents
from pipeline.datasets.readers.cifar import read_batches
from pipeline.datasets.registry import Descriptor


def read(descriptor: Descriptor, contents: Contents) -> Arrays:
    """Rows of a coarse label, a fine label and 3,072 bytes; the fine one is used."""
    return read_batches(descriptor, contents, label_bytes=2)
