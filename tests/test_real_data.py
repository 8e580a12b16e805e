"""download and prepare on real data sets: slow, and skipped where those are not."""

import io
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.networks import registry
from pipeline.pretrained import imagenet
from pipeline.pretrained.arrays import digest, layout
from pipeline.pretrained.weights_file import read_file
from pipeline.runtime.arrays import load_array
from pipeline.runtime.downloader import has_digest
from pipeline.runtime.paths import PARTS, RAW
from tests.pipeline.datasets.outs import arrays, described, expected, raw, split_table
from tests.pipeline.datasets.pictures import download, prepare, write_folder, write_tar


@pytest.mark.parametrize(
    ("archive", "classes", "counts", "first"),
    [
        pytest.param(
            "cifar10.zip",
            10,
            {"train": 35_000, "validation": 15_000, "test": 10_000},
            "airplane",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "cats-and-dogs-small.zip",
            2,
            {"train": 2_000, "validation": 1_000, "test": 1_000},
            "cats",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_real_archives(
    shared_data: Path,
    workspace: Path,
    archive: str,
    classes: int,
    counts: dict[str, int],
    first: str,
) -> None:
    """All images of the archive, each with the pixels that Pillow gives."""
    download(shared_data / archive)
    assert prepare(image_size=32).status == 0
    assert {part: sum(described()["counts"][part]) for part in PARTS} == counts
    assert (len(described()["classes"]), described()["classes"][0]) == (classes, first)
    rows = split_table()
    with zipfile.ZipFile(shared_data / archive) as source:
        for part in PARTS:
            images, labels = arrays(part)
            own = [row for row in rows if row["part"] == part]
            for position in range(0, len(own), len(own) // 20):
                name = own[position]["name"]
                assert images[position].tolist() == expected(source.read(name), 32)
                assert name.split("/")[1] == described()["classes"][labels[position]]


def cifar10_files(archive: Path) -> dict[str, bytes]:
    """The author's six binary files from the lossless images {train,test}/<class>/<index>.webp,
    where the index is the row."""
    classes = registry.descriptor("cifar10").classes
    rows = {"train": np.empty((50_000, 3073), "uint8"), "test": np.empty((10_000, 3073), "uint8")}
    with zipfile.ZipFile(archive) as source:
        for name in source.namelist():
            part, label, file = name.split("/")
            row = rows[part][int(file.removesuffix(".webp"))]
            row[0] = classes.index(label)
            pixels = np.asarray(Image.open(io.BytesIO(source.read(name))).convert("RGB"))
            row[1:] = pixels.transpose(2, 0, 1).ravel()
    batches = [*np.split(rows["train"], 5), rows["test"]]
    names = registry.descriptor("cifar10").files[0].contents
    return {name: batch.tobytes() for name, batch in zip(names, batches, strict=True)}


def published(name: str) -> np.ndarray:
    """Download a named set, check its counts, and give the train part's means by channel, of 1."""
    ended = download(name)
    assert (ended.status, ended.error) == (0, [])
    images, labels = load_array(RAW / "images.npy"), np.load(RAW / "labels.npy")
    assert ended.out == [f"download: {name}: {len(labels):,} images in 10 classes"]
    parts = raw().parts
    assert parts is not None
    train, test = (slice(*parts[part]) for part in ("train", "test"))
    assert len(labels[test]) == 10_000
    if name != "mnist":  # whose classes are not of one size
        assert np.bincount(labels[train]).tolist() == [len(labels[train]) // 10] * 10
        assert np.bincount(labels[test]).tolist() == [1000] * 10
    return images[train].mean((0, 1, 2)) / 255


@pytest.mark.slow
def test_cifar10_by_its_contents(
    shared_data: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a folder and as an archive of our own, for the author's compression cannot be repeated."""
    cache = workspace / "cache"
    monkeypatch.setenv("IMAGE_PIPELINE_CACHE", str(cache))
    files = cifar10_files(shared_data / "cifar10.zip")
    write_folder(cache / "cifar10", files)
    means = published("cifar10")
    assert load_array(RAW / "images.npy").shape == (60_000, 32, 32, 3)
    np.testing.assert_allclose(means, [0.4914, 0.4822, 0.4465], atol=5e-5)
    assert np.load(RAW / "labels.npy")[:10].tolist() == [6, 9, 9, 4, 1, 1, 2, 7, 8, 3]
    first = raw().digest
    shutil.rmtree(cache / "cifar10")
    (cache / "cifar10").mkdir()
    write_tar(cache / "cifar10" / "cifar-10-binary.tar.gz", files, "w:gz")
    published("cifar10")
    assert raw().digest == first


@pytest.mark.slow
def test_mnist_by_its_contents(
    shared_data: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its four files as somebody has packed them again, so that their MD5 is another."""
    monkeypatch.setenv("IMAGE_PIPELINE_CACHE", str(workspace / "cache"))
    shutil.copytree(shared_data / "mnist", workspace / "cache" / "mnist")
    means = published("mnist")
    assert load_array(RAW / "images.npy").shape == (70_000, 28, 28, 1)
    np.testing.assert_allclose(means, [0.1307], atol=5e-5)
    labels = np.load(RAW / "labels.npy")
    assert labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(labels[:60_000]).tolist() == counts


@pytest.mark.slow
def test_a_copy_of_keras_vgg16_holds_the_arrays_that_imagenet_means(shared_data: Path) -> None:
    """In Keras' layout, but another file than the one whose MD5 stands in Keras' source."""
    copy = shared_data / "vgg16_imagenet_notop.h5"
    wanted = registry.find("vgg16").base.imagenet
    assert not has_digest(copy, wanted.keras_file.digest)
    assert digest(read_file(copy, layout("vgg16"))) == wanted.sha256


@pytest.mark.slow
def test_a_copy_of_googles_mobilenet_holds_the_arrays_that_imagenet_means(
    shared_data: Path,
) -> None:
    copy = shared_data / "mobilenet_imagenet_notop.weights.h5"
    wanted = registry.find("mobilenet").base.imagenet
    assert digest(read_file(copy, layout("mobilenet"))) == wanted.sha256


@pytest.mark.slow
def test_keras_own_vgg16_holds_the_arrays_that_imagenet_means() -> None:
    """The reference itself, where Keras has fetched it."""
    wanted = registry.find("vgg16").base.imagenet
    path = imagenet.keras_cache() / wanted.keras_file.name
    if not path.is_file():
        pytest.skip(f"needs Keras' own {path.name} in Keras' cache")
    assert has_digest(path, wanted.keras_file.digest)
    assert digest(read_file(path, layout("vgg16"))) == wanted.sha256


@pytest.mark.slow
@pytest.mark.parametrize("name", ["fashion_mnist"])
def test_fashion_mnist_from_debians_package(
    name: str, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not Path("/usr/share/datasets/fashion-mnist").is_dir():
        pytest.skip("needs `apt-get install dataset-fashion-mnist`")
    monkeypatch.setenv("IMAGE_PIPELINE_CACHE", str(workspace / "cache"))
    assert download(name).out == ["download: fashion_mnist: 70,000 images in 10 classes"]
    assert prepare(image_size=None, channels=None).out == [
        "prepare: 42,000 train, 18,000 validation, 10,000 test images"
    ]
    assert described()["counts"]["test"] == [1000] * 10
