"""Small archives in the layouts of the authors, and descriptors with their digests."""

import gzip
import hashlib
import io
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
from ruamel.yaml import YAML

from pipeline.datasets import registry
from tests.pipeline.datasets.pictures import write_tar

Files = dict[str, bytes]


def idx_images(images: np.ndarray) -> bytes:
    """uint8 (N, H, W) as an IDX file."""
    header = [0x803, *images.shape]
    return b"".join(number.to_bytes(4, "big") for number in header) + images.tobytes()


def idx_labels(labels: np.ndarray) -> bytes:
    """Labels (N,) as an IDX file."""
    return (0x801).to_bytes(4, "big") + len(labels).to_bytes(4, "big") + bytes(labels.tolist())


def cifar_file(images: np.ndarray, labels: np.ndarray, label_bytes: int, coarse: int = 0) -> bytes:
    """uint8 (N, 32, 32, 3) as a file of CIFAR's binary form."""
    before = bytes([coarse] * (label_bytes - 1))
    return b"".join(
        before + bytes([label]) + image.transpose(2, 0, 1).tobytes()
        for image, label in zip(images, labels.tolist(), strict=True)
    )


def mnist_files(count: int = 40, tests: int = 20) -> tuple[Files, np.ndarray, np.ndarray]:
    """The four files of MNIST, small, and the images and labels in them, test part last."""
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (count + tests, 28, 28), dtype="uint8")
    labels = np.arange(count + tests) % 10
    parts = {"train": slice(count), "t10k": slice(count, None)}
    files = {}
    for part, rows in parts.items():
        files[f"{part}-images-idx3-ubyte.gz"] = gzip.compress(idx_images(images[rows]), mtime=0)
        files[f"{part}-labels-idx1-ubyte.gz"] = gzip.compress(idx_labels(labels[rows]), mtime=0)
    return files, images, labels


def cifar10_file(folder: Path) -> Files:
    """CIFAR-10's archive with two images of each class to train, one to test."""
    generator = np.random.default_rng(0)
    files = {}
    for name in [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]:
        count = 10 if name == "test_batch" else 4
        labels = (np.arange(count) + 4 * int(name[-1] if count == 4 else 0)) % 10
        images = generator.integers(0, 256, (count, 32, 32, 3), dtype="uint8")
        files[f"cifar-10-batches-bin/{name}.bin"] = cifar_file(images, labels, 1)
    path = write_tar(folder / "cifar-10-binary.tar.gz", files, "w:gz")
    return {path.name: path.read_bytes()}


def unpack(name: str, data: bytes) -> Files:
    """What a published file holds, by name."""
    if not name.endswith(".tar.gz"):
        return {name.removesuffix(".gz"): gzip.decompress(data)}
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]


def md5(data: bytes) -> str:
    """As a descriptor gives it."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def descriptors(folder: Path, name: str, files: Files, **changes: Any) -> Path:
    """A folder of descriptors with the named set, by the digests of these files, no mirrors."""
    folder.mkdir(exist_ok=True)
    values = registry.Descriptor.model_validate(
        YAML(typ="safe", pure=True).load(registry.NAMED / name)
    ).model_dump(mode="json")
    values["mirrors"] = []
    for file in values["files"]:
        data = files[file["name"]]
        file["md5"] = md5(data)
        for content, unpacked in unpack(file["name"], data).items():
            file["contents"][content] = hashlib.sha256(unpacked).hexdigest()
    with (folder / name).open("w", encoding="utf-8") as out:
        YAML(typ="safe", pure=True).dump({**values, **changes}, out)
    return folder
