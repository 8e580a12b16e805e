"""IDX, the format of MNIST and of the sets that follow it."""

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

_IMAGES_MAGIC = 0x00000803  # unsigned bytes in three dimensions
_LABELS_MAGIC = 0x00000801  # unsigned bytes in one


def read(descriptor: Descriptor, contents: Contents) -> Arrays:
    """Train images, train labels, test images, test labels, in the order of the descriptor."""
    train_images, train_labels, test_images, test_labels = (
        name for file in descriptor.files for name in file.contents
    )
    parts = []
    for images_name, labels_name in ((train_images, train_labels), (test_images, test_labels)):
        images = idx_images(images_name, contents.pop(images_name))
        labels = idx_labels(labels_name, contents.pop(labels_name), len(descriptor.classes))
        if len(images) != len(labels):
            raise PipelineError(f"{labels_name}: {len(labels):,} labels for {len(images):,} images")
        parts.append((images, labels))
    return train_and_test(parts)


def idx_images(name: str, data: bytes) -> Pixels:
    """An IDX file of images: uint8 (N, H, W, 1)."""
    return _idx(name, data, _IMAGES_MAGIC, "images", 3)[..., None]


def idx_labels(name: str, data: bytes, classes: int) -> Labels:
    """An IDX file of labels from 0 to below `classes`: int64 (N,)."""
    labels = _idx(name, data, _LABELS_MAGIC, "labels", 1)
    check_labels(name, labels, classes)
    return labels.astype("int64")


def _idx(name: str, data: bytes, magic: int, what: str, dimensions: int) -> Pixels:
    """Four bytes of kind, four for each dimension (big-endian), and the bytes themselves."""
    start = 4 + 4 * dimensions
    kind, *shape = (int.from_bytes(data[i : i + 4], "big") for i in range(0, start, 4))
    if kind != magic or len(data) < start:
        raise PipelineError(
            f"{name}: not an IDX file of {what} (magic number 0x{kind:08x}, expected 0x{magic:08x})"
        )
    if len(data) - start != int(np.prod(shape, dtype=object)):
        raise PipelineError(
            f"{name}: {len(data) - start:,} bytes of {what}, expected {' × '.join(map(str, shape))}"
        )
    return np.frombuffer(data, "uint8", offset=start).reshape(shape)
