"""The stage prepare: parts, pixels, labels, statistics."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.runtime import files
from pipeline.runtime.arrays import load_array
from pipeline.runtime.paths import PARTS, PREPARED, RAW
from tests import support
from tests.pipeline.datasets.outs import arrays, check_against_files, described, split_table
from tests.pipeline.datasets.pictures import (
    class_folders,
    download,
    encoded,
    pixels,
    png,
    prepare,
    write_folder,
    write_zip,
)
from tests.support import snapshot


def test_mnist_5k_as_a_process(workspace: Path) -> None:
    """The default, as DVC runs it: sizes, one-hot labels, the pixels of raw."""
    for stage in ("params", "download", "prepare"):
        assert support.run_stage(stage).returncode == 0
    counts = {"train": 2800, "validation": 1200, "test": 1000}
    raw_images, raw_labels = np.load(RAW / "images.npy"), np.load(RAW / "labels.npy")
    rows = split_table()
    for part, count in counts.items():
        images, labels = arrays(part)
        one_hot = load_array(PREPARED / f"{part}_labels.npy")
        assert (images.shape, images.dtype) == ((count, 28, 28, 1), "uint8")
        assert (one_hot.shape, one_hot.dtype) == ((count, 10), "float32")
        indices = [int(row["index"]) for row in rows if row["part"] == part]
        assert np.array_equal(images, raw_images[indices])
        assert np.array_equal(labels, raw_labels[indices])
        assert described()["counts"][part] == [count // 10] * 10
    assert sorted(int(row["index"]) for row in rows) == list(range(5000))
    assert {row["name"] for row in rows} == {""}
    train = raw_images[[int(row["index"]) for row in rows if row["part"] == "train"]]
    normalization = described()["normalization"]
    assert normalization["method"] == "minmax"
    assert normalization["mean"] == pytest.approx([train.mean()], abs=1e-9)
    assert normalization["variance"] == pytest.approx([train.astype(float).var()], abs=1e-6)
    assert described()["image_shape"] == [28, 28, 1]
    assert not (PREPARED / "audit.json").exists()
    assert sorted(path.name for path in PREPARED.iterdir()) == sorted(
        ["dataset.json", "split.csv"]
        + [f"{part}_{kind}.npy" for part in PARTS for kind in ("images", "labels")]
    )
    arrays_in_order = [
        PREPARED / f"{part}_{kind}.npy" for part in PARTS for kind in ("images", "labels")
    ]
    assert described()["digest"] == f"sha256:{files.sha256(*arrays_in_order)}"
    assert list(Path(".state/resume").iterdir()) == []


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_a_folder_is_split_and_decoded(workspace: Path, kind: str) -> None:
    contents = class_folders(("ant", "bee", "개"), count=10)
    path = workspace.parent / "photos"
    download(write_folder(path, contents) if kind == "folder" else write_zip(path, contents))
    ended = prepare()
    assert (ended.status, ended.error) == (0, [])
    assert ended.out == ["prepare: 17 train, 7 validation, 6 test images"]
    check_against_files(contents)
    assert described()["counts"] == {"train": [5, 6, 6], "validation": [3, 2, 2], "test": [2] * 3}
    assert len(split_table()) == 30


def test_published_parts_are_honoured(workspace: Path) -> None:
    contents = {
        f"{part}/{name}": data
        for number, part in enumerate(("train", "validation", "test"))
        for name, data in class_folders(count=3 + number, start=100 * number).items()
    }
    download(write_folder(workspace.parent / "photos", contents))
    assert prepare(validation_fraction=0.5, test_fraction=0.5).status == 0
    check_against_files(contents)
    for row in split_table():
        assert row["name"].startswith(row["part"])
    published = [row["name"] for row in split_table() if row["part"] != "train"]
    assert published == sorted(published, key=lambda name: (name.startswith("test"), name))


def test_a_published_test_part_leaves_validation_to_the_split(workspace: Path) -> None:
    contents = {f"train/{name}": data for name, data in class_folders(count=10).items()}
    contents |= {f"test/{name}": data for name, data in class_folders(count=2, start=500).items()}
    download(write_folder(workspace.parent / "photos", contents))
    assert prepare().out == ["prepare: 14 train, 6 validation, 4 test images"]
    check_against_files(contents)
    assert prepare(validation_fraction=0.0).out == [
        "prepare: 20 train, 0 validation, 4 test images"
    ]
    images, labels = arrays("validation")
    assert (images.shape, labels.shape) == ((0, 4, 4, 3), (0,))
    check_against_files(contents)


def test_the_seed_decides_the_split(workspace: Path) -> None:
    download(write_folder(workspace.parent / "photos", class_folders(count=20)))
    tables = []
    for seed in (1, 1, 2):
        assert prepare(split_seed=seed).status == 0
        tables.append((split_table(), described()["digest"]))
    assert tables[0] == tables[1]
    assert tables[0][0] != tables[2][0]
    assert tables[0][1] != tables[2][1]


def test_the_same_again_is_the_same_bytes(workspace: Path) -> None:
    """One process or several, whatever the chunks."""
    download(write_folder(workspace.parent / "photos", class_folders(count=20)))
    assert prepare().status == 0
    first = snapshot(PREPARED)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipeline.datasets.pixels._CHUNK_ROWS", 3)
        patch.setattr("pipeline.datasets.pixels._PARALLEL_BYTES", 0)
        patch.setattr("pipeline.datasets.pool.processors", lambda: 2)
        assert prepare().status == 0
    assert snapshot(PREPARED) == first


@pytest.mark.parametrize("normalization", ["minmax", "standard", "imagenet"])
def test_statistics_are_of_the_training_part_alone(workspace: Path, normalization: str) -> None:
    contents = {f"train/{name}": data for name, data in class_folders(count=5).items()}
    white = encoded(Image.new("RGB", (4, 4), "white"))
    contents |= {"test/cat/1.png": white, "test/dog/1.png": white, "validation/cat/1.png": white}
    download(write_folder(workspace.parent / "photos", contents))
    assert prepare(normalization=normalization).status == 0
    train, _ = arrays("train")
    found = described()["normalization"]
    assert found["method"] == normalization
    assert found["mean"] == pytest.approx(train.mean(axis=(0, 1, 2)).tolist(), abs=1e-9)
    assert found["variance"] == pytest.approx(
        train.astype(float).var(axis=(0, 1, 2)).tolist(), abs=1e-6
    )


@pytest.mark.parametrize(("size", "channels"), [(None, 3), (12, None), (5, 3), (8, 1)])
def test_a_named_set_is_resized_and_gets_channels(
    workspace: Path, size: int | None, channels: int | None
) -> None:
    download("digits")
    assert prepare(image_size=size, channels=channels).status == 0
    side, depth = size or 8, channels or 1
    assert described()["image_shape"] == [side, side, depth]
    images, _ = arrays("test")
    rows = [int(row["index"]) for row in split_table() if row["part"] == "test"]
    originals = np.load(RAW / "images.npy")[rows, ..., 0]
    for image, original in zip(images[:50], originals, strict=False):
        resized = Image.fromarray(original).resize((side, side), Image.Resampling.BILINEAR)
        assert image.tolist() == np.repeat(np.asarray(resized)[..., None], depth, 2).tolist()


def test_colour_becomes_grey(workspace: Path) -> None:
    contents = class_folders()
    download(write_folder(workspace.parent / "photos", contents))
    assert prepare(channels=1).status == 0
    row = split_table()[0]
    grey = Image.fromarray(pixels(contents[row["name"]])).convert("L").resize((4, 4), 2)
    assert arrays("train")[0][0, ..., 0].tolist() == np.asarray(grey).tolist()


@pytest.mark.parametrize("classes", [300, pytest.param(10_000, marks=pytest.mark.slow)])
def test_many_classes(workspace: Path, monkeypatch: pytest.MonkeyPatch, classes: int) -> None:
    """Labels of many columns are written piece by piece; of 10,000 they take 400 MB."""
    monkeypatch.setattr("pipeline.datasets.preparation.LABEL_BYTES", 100_000)
    one = png()
    contents = {f"train/{number:05}/1.png": one for number in range(classes)}
    contents |= {f"test/{number:05}/1.png": png(1) for number in range(0, classes, 50)}
    download(write_zip(workspace.parent / "many.zip", contents))
    ended = prepare(image_size=2, channels=1, validation_fraction=0.0)
    assert ended.out[-1] == f"prepare: {classes:,} train, 0 validation, {classes // 50} test images"
    labels = load_array(PREPARED / "train_labels.npy")
    assert labels.shape == (classes, classes)
    rows = [int(row["label"]) for row in split_table() if row["part"] == "train"]
    assert np.flatnonzero(labels).tolist() == [i * classes + row for i, row in enumerate(rows)]
    for path in PREPARED.glob("*_labels.npy"):
        path.unlink()


def test_stages_start_quickly() -> None:
    """Neither Keras nor MLflow, pandas or scikit-learn is imported for a start."""
    heavy = ("keras", "tensorflow", "mlflow", "pandas", "sklearn", "matplotlib", "scipy")
    script = (
        "import sys, stages.download, stages.prepare\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        cwd=support.REPOSITORY,
        timeout=500,
    )
    assert ended.stdout.strip() == "[]", ended.stderr
