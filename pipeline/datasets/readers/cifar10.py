"""CIFAR-10 from its author's binary archive."""

from pipeline.datasets.readers.arrays import Arrays, Paths
from pipeline.datasets.readers.cifar import read_archive
from pipeline.datasets.registry import Descriptor


def read(descriptor: Descriptor, paths: Paths) -> Arrays:
    """Rows of a label and 3,072 bytes, in five files to train and one to test."""
    train = [f"cifar-10-batches-bin/data_batch_{number}.bin" for number in range(1, 6)]
    return read_archive(descriptor, paths, train, "cifar-10-batches-bin/test_batch.bin", 1)
