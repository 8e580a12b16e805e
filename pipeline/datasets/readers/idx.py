"""IDX, the format of MNIST and of the sets that follow it."""

import gzip
from pathlib import Path

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

_IMAGES_MAGIC = 0x00000803  # unsigned bytes in three dimensions
_LABELS_MAGIC = 0x00000801  # unsigned bytes in one


def read(descriptor: Descriptor, paths: Paths) -> Arrays:
    """Train images, train labels, test images, test labels, in the order of the descriptor."""
    train_images, train_labels, test_images, test_labels = (
        paths[file.name] for file in descriptor.files
    )
    classes = len(descriptor.classes)
    parts = []
    for images_path, labels_path in ((train_images, train_labels), (test_images, test_labels)):
        images = read_idx_images(images_path)
        labels = read_idx_labels(labels_path, classes)
        if len(images) != len(labels):
            raise PipelineError(
                f"{labels_path.name}: {len(labels):,} labels for {len(images):,} images"
            )
        parts.append((images, labels))
    return train_and_test(parts)


def read_idx_images(path: Path) -> Pixels:
    """An IDX file of images: uint8 (N, H, W, 1)."""
    return _read_idx(path, _IMAGES_MAGIC, "images", 3)[..., None]


def read_idx_labels(path: Path, classes: int) -> Labels:
    """An IDX file of labels from 0 to below `classes`: int64 (N,)."""
    labels = _read_idx(path, _LABELS_MAGIC, "labels", 1)
    check_labels(path.name, labels, classes)
    return labels.astype("int64")


def _read_idx(path: Path, magic: int, what: str, dimensions: int) -> Pixels:
    """Four bytes of kind, four for each dimension (big-endian), and the bytes themselves."""
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    with damage_in_one_line(path.name), gzip.open(path) if packed else path.open("rb") as file:
        header = file.read(4 + 4 * dimensions)
        kind, *shape = (
            int.from_bytes(header[i : i + 4], "big") for i in range(0, 4 + 4 * dimensions, 4)
        )
        if kind != magic or len(header) < 4 + 4 * dimensions:
            raise PipelineError(
                f"{path.name}: not an IDX file of {what} (magic number 0x{kind:08x}, "
                f"expected 0x{magic:08x})"
            )
        expected = int(np.prod(shape, dtype=object))
        data = file.read(min(expected, LARGEST) + 1)
    if len(data) != expected:
        more = "more than " if len(data) > expected else ""
        raise PipelineError(
            f"{path.name}: {more}{min(len(data), expected):,} bytes of {what}, "
            f"expected {' × '.join(map(str, shape))}"
        )
    return np.frombuffer(data, "uint8").reshape(shape)
