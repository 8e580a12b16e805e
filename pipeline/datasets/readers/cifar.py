"""CIFAR's binary form, which its author publishes beside the pickles."""

import numpy as np

from pipeline.datasets.readers.arrays import (
    Arrays,
    Contents,
    Labels,
    Pixels,
    check_labels,
    train_and_test,
)
from pipeline.datasets.registry import Descriptor
from pipeline.errors import PipelineError


def read_batches(descriptor: Descriptor, contents: Contents, label_bytes: int) -> Arrays:
    """The files of the descriptor's one archive, in its order: the last is the test part."""
    *train, test = (
        cifar_rows(name, contents.pop(name), label_bytes, len(descriptor.classes))
        for name in descriptor.files[0].contents
    )
    images = np.concatenate([images for images, _ in train])
    labels = np.concatenate([labels for _, labels in train])
    return train_and_test([(images, labels), test])


def cifar_rows(name: str, data: bytes, label_bytes: int, classes: int) -> tuple[Pixels, Labels]:
    """One file of CIFAR's binary form: uint8 (N, 32, 32, 3) and int64 (N,).

    A row is `label_bytes` labels, of which the last counts, then 1,024 bytes
    of red, of green and of blue, row by row of the image.
    """
    length = label_bytes + 3072
    if not data or len(data) % length:
        raise PipelineError(f"{name}: {len(data):,} bytes, expected a multiple of {length:,}")
    table = np.frombuffer(data, "uint8").reshape(-1, length)
    labels = table[:, label_bytes - 1].astype("int64")
    check_labels(name, labels, classes)
    planes = table[:, label_bytes:].reshape(-1, 3, 32, 32)
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1)), labels
