"""download and prepare on real data sets: slow, and skipped where those are not."""

import zipfile
from pathlib import Path

import pytest

from pipeline.runtime.paths import PARTS
from tests.pipeline.datasets.outs import arrays, described, expected, split_table
from tests.pipeline.datasets.pictures import download, prepare


@pytest.mark.parametrize(
    ("archive", "classes", "counts", "first"),
    [
        pytest.param(
            "cifar10-images.zip",
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
