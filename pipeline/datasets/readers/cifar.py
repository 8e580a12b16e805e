"""CIFAR's binary form, which its author publishes beside the pickles."""

import tarfile

import numpy as np

from pipeline.datasets.archive import damage_in_one_line
from pipeline.datasets.readers.arrays import (
    LARGEST,
    Arrays,
    Labels,
    Paths,
    Pixels,
    check_labels,
    train_and_test,
)
from pipeline.datasets.registry import Descriptor
from pipeline.errors import PipelineError


def read_archive(
    descriptor: Descriptor, paths: Paths, train: list[str], test: str, label_bytes: int
) -> Arrays:
    path = paths[descriptor.files[0].name]
    wanted = [*train, test]
    contents: dict[str, bytes] = {}
    with damage_in_one_line(path.name), tarfile.open(path, "r:*") as tar:
        for member in tar:
            if member.name in wanted and member.isreg() and member.size <= LARGEST:
                file = tar.extractfile(member)
                contents[member.name] = file.read() if file else b""
    missing = [name for name in wanted if name not in contents]
    if missing:
        raise PipelineError(f"{path.name}: {missing[0]} is not in it")
    rows = {
        name: cifar_rows(name, contents.pop(name), label_bytes, len(descriptor.classes))
        for name in wanted
    }
    images = np.concatenate([rows[name][0] for name in train])
    labels = np.concatenate([rows[name][1] for name in train])
    return train_and_test([(images, labels), rows[test]])


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
