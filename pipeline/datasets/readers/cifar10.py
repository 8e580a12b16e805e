"""CIFAR-10 from its author's binary files."""

from pipeline.datasets.readers.arrays import Arrays, Contents
from pipeline.datasets.readers.cifar import read_batches
from pipeline.datasets.registry import Descriptor


def read(descriptor: Descriptor, contents: Contents) -> Arrays:
    """Rows of a label and 3,072 bytes, in five files to train and one to test."""
    return read_batches(descriptor, contents, label_bytes=1)
