"""The stage prepare: parts, pixels, labels, statistics, bad images, kills."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from PIL import Image

from stages.datasets.labels import class_indices
from stages.parameters.resolve import PrepareParameters
from stages.runtime import files
from stages.runtime.arrays import load_array
from stages.runtime.paths import PARTS, PREPARED, RAW
from tests import support
from tests.datasets.pictures import (
    class_folders,
    download,
    encoded,
    pixels,
    png,
    prepare,
    snapshot,
    without_record,
    write_folder,
    write_zip,
)


def described() -> dict[str, Any]:
    return files.read_json(PREPARED / "dataset.json")


def split_table() -> list[dict[str, str]]:
    with (PREPARED / "split.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def arrays(part: str) -> tuple[np.ndarray, np.ndarray]:
    images = load_array(PREPARED / f"{part}_images.npy")
    return images, class_indices(load_array(PREPARED / f"{part}_labels.npy"))


def expected(data: bytes, side: int = 4) -> list:
    image = Image.fromarray(pixels(data)).resize((side, side), Image.Resampling.BILINEAR)
    return np.asarray(image).tolist()


def check_against_files(contents: dict[str, bytes]) -> None:
    """Every row of the arrays is the picture that split.csv says, with its label."""
    rows = iter(split_table())
    seen = []
    classes = described()["classes"]
    with (RAW / "index.csv").open(encoding="utf-8", newline="") as file:
        names = [row["name"] for row in csv.DictReader(file)]
    for part in PARTS:
        images, labels = arrays(part)
        for image, label in zip(images, labels, strict=True):
            row = next(rows)
            assert (row["part"], row["label"]) == (part, classes[label])
            assert names[int(row["index"])] == row["name"]
            assert row["label"] in row["name"].split("/")
            assert image.tolist() == expected(contents[row["name"]])
            seen.append(row["name"])
    assert next(rows, None) is None
    assert len(seen) == len(set(seen))


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
        patch.setattr("stages.datasets.pixels._CHUNK_ROWS", 3)
        patch.setattr("stages.datasets.pixels._PARALLEL_BYTES", 0)
        patch.setattr("stages.datasets.pool._processors", lambda: 2)
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


ACCEPTED = {
    "palette.png": Image.new("P", (3, 3)),
    "cmyk.tif": Image.new("CMYK", (3, 3), (255, 0, 0, 0)),
    "alpha.png": Image.new("RGBA", (3, 3), (9, 9, 9, 0)),
    "sixteen.png": Image.fromarray(np.full((3, 3), 0x1280, "uint16")),
    "one.bmp": Image.new("RGB", (1, 1), (1, 2, 3)),
    "세.png": Image.new("L", (2, 2), 200),
}
COLOURS = {
    "palette.png": [0, 0, 0],
    "cmyk.tif": [0, 255, 255],
    "alpha.png": [255, 255, 255],
    "sixteen.png": [0x12, 0x12, 0x12],
    "one.bmp": [1, 2, 3],
    "세.png": [200, 200, 200],
}


def test_all_kinds_of_images_are_accepted(workspace: Path) -> None:
    """With the right pixels, each as a test image; see test_decode for the finer points."""
    kinds = {".png": "PNG", ".tif": "TIFF", ".bmp": "BMP"}
    contents = {f"train/{name}": data for name, data in class_folders().items()}
    for name, image in ACCEPTED.items():
        contents[f"test/cat/{name}"] = encoded(image, kinds[Path(name).suffix])
    frames = [Image.new("RGB", (3, 3), colour) for colour in ("red", "blue")]
    contents["test/dog/moving.gif"] = encoded(
        frames[0], "GIF", save_all=True, append_images=frames[1:]
    )
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = Image.new("RGB", (2, 1), "white")
    turned.putpixel((0, 0), (0, 0, 0))
    contents["test/dog/turned.png"] = encoded(turned, exif=exif)
    download(write_folder(workspace.parent / "photos", contents))
    assert prepare().status == 0
    images, _ = arrays("test")
    names = [Path(row["name"]).name for row in split_table() if row["part"] == "test"]
    found = dict(zip(names, images, strict=True))
    for name, colour in COLOURS.items():
        assert found[name].tolist() == np.full((4, 4, 3), colour).tolist(), name
    assert found["moving.gif"].tolist() == np.full((4, 4, 3), [255, 0, 0]).tolist()
    assert found["turned.png"][0].max() == 0
    assert found["turned.png"][3].min() == 255


BAD_IMAGES = {
    "cat/empty.png": b"",
    "cat/text.jpg": b"not a picture\n",
    "dog/cut.png": png(5)[:70],
}
UNREADABLE = (
    "3 images cannot be read: cat/empty.png (an empty file), cat/text.jpg (not an image of a "
    "known format), dog/cut.png (damaged: image file is truncated)"
)


def test_unreadable_images_are_all_named_and_nothing_is_kept(workspace: Path) -> None:
    download(write_folder(workspace.parent / "photos", class_folders() | BAD_IMAGES))
    PREPARED.mkdir()
    (PREPARED / "earlier").write_text("stays")
    before = snapshot(workspace)
    ended = prepare()
    assert ended.error == [
        f"prepare: dataset: {UNREADABLE}; mend or remove them, or set unreadable to skip"
    ]
    assert ended.status == 1
    after = snapshot(workspace)
    after.pop(str(PrepareParameters.path().absolute()))
    assert after == before


def test_skipped_images_are_left_out_before_the_split(workspace: Path) -> None:
    """The split of the others is the one that they would have had by themselves."""
    good = class_folders(count=10)
    photos = write_folder(workspace.parent / "photos", good)
    download(photos)
    prepare()
    alone = [(row["part"], row["name"]) for row in split_table()]
    pixels_alone = {part: arrays(part)[0].tolist() for part in PARTS}
    download(write_folder(photos, BAD_IMAGES))
    ended = prepare(unreadable="skip")
    assert ended.out == [
        f"prepare: {UNREADABLE}; left out",
        "prepare: 11 train, 5 validation, 4 test images",
    ]
    assert [(row["part"], row["name"]) for row in split_table()] == alone
    assert {part: arrays(part)[0].tolist() for part in PARTS} == pixels_alone
    assert described()["skipped"] == sorted(BAD_IMAGES)
    audit = files.read_json(PREPARED / "audit.json")
    assert audit["unreadable"]["count"] == 3
    assert audit["unreadable"]["images"][0] == {"name": "cat/empty.png", "reason": "an empty file"}
    check_against_files(good)


def test_a_list_of_many_unreadable_images_stops(workspace: Path) -> None:
    bad = {f"cat/bad {number:02}.jpg": b"x" for number in range(25)}
    download(write_folder(workspace.parent / "photos", class_folders() | bad))
    (line,) = prepare().error
    assert line.startswith("prepare: dataset: 25 images cannot be read: cat/bad 00.jpg (not an")
    assert "cat/bad 09.jpg (not an image of a known format) and 15 more; mend" in line
    assert "bad 10" not in line


@pytest.mark.parametrize(
    ("contents", "changes", "message"),
    [
        (
            {**class_folders(), "emu/1.png": png(1), "emu/2.png": png(2)},
            {},
            "dataset: class emu has 2 images to share between train, test and validation, too few "
            "for test_fraction 0.2; add images, remove the class or choose another fraction",
        ),
        (
            {**class_folders(), "emu/1.png": png(1)},
            {"validation_fraction": 0.0},
            "dataset: class emu has 1 image to share between train and test, too few for "
            "test_fraction 0.2; add images, remove the class or choose another fraction",
        ),
        (
            {
                **{f"train/{name}": data for name, data in class_folders().items()},
                "train/emu/1.png": b"",
                "test/cat/1.png": png(1),
            },
            {"unreadable": "skip", "validation_fraction": 0.0},
            "dataset: class emu has no image to train on",
        ),
        (
            {
                **{f"train/{name}": data for name, data in class_folders().items()},
                "test/cat/1.png": b"",
            },
            {"unreadable": "skip"},
            "dataset: no image to test on",
        ),
    ],
)
def test_too_few_images_of_a_class(
    workspace: Path, contents: dict[str, bytes], changes: dict[str, Any], message: str
) -> None:
    download(write_folder(workspace.parent / "photos", contents))
    before = snapshot(workspace)
    ended = prepare(**changes)
    assert ended.error == [f"prepare: {message}"]
    assert ended.status == 1
    after = snapshot(workspace)
    after.pop(str(PrepareParameters.path().absolute()))
    assert after == before


def test_the_audit(workspace: Path) -> None:
    """Sizes, duplicates, and the same image in two parts, which is warned of."""
    same, other = png(1, 7, 3), png(2, 9, 9)
    contents = {
        **{f"train/{name}": data for name, data in class_folders(count=3).items()},
        "train/cat/same.png": same,
        "test/cat/same too.png": same,
        "test/dog/same.png": same,
        "train/dog/a.png": other,
        "train/dog/b.png": other,
    }
    download(write_folder(workspace.parent / "photos", contents | {"notes.txt": b"", ".x": b""}))
    ended = prepare(validation_fraction=0.0)
    assert ended.out[0] == (
        "prepare: warning: 3 images stand in more than one part with the same bytes (1 group; "
        "the first is test/cat/same too.png, test/dog/same.png and train/cat/same.png): the "
        "scores will be too good"
    )
    assert files.read_json(PREPARED / "audit.json") == {
        "classes": {
            "cat": {"train": 4, "validation": 0, "test": 1},
            "dog": {"train": 5, "validation": 0, "test": 1},
        },
        "images": 11,
        "sizes": {
            "width": {"min": 6, "median": 6.0, "max": 9},
            "height": {"min": 3, "median": 5.0, "max": 9},
            "different": 3,
            "most_common": [
                {"width": 6, "height": 5, "count": 6},
                {"width": 7, "height": 3, "count": 3},
                {"width": 9, "height": 9, "count": 2},
            ],
        },
        "unreadable": {"count": 0, "images": []},
        "duplicates": {
            "groups": 2,
            "images": 5,
            "names": [
                ["test/cat/same too.png", "test/dog/same.png", "train/cat/same.png"],
                ["train/dog/a.png", "train/dog/b.png"],
            ],
        },
        "leakage": {
            "groups": 1,
            "images": 3,
            "names": [
                [
                    {"name": "test/cat/same too.png", "part": "test"},
                    {"name": "test/dog/same.png", "part": "test"},
                    {"name": "train/cat/same.png", "part": "train"},
                ]
            ],
        },
        "ignored": {"hidden": 1, "others": 1, "names": ["notes.txt"]},
    }


@pytest.mark.parametrize("classes", [300, pytest.param(10_000, marks=pytest.mark.slow)])
def test_many_classes(workspace: Path, monkeypatch: pytest.MonkeyPatch, classes: int) -> None:
    """Labels of many columns are written piece by piece; of 10,000 they take 400 MB."""
    monkeypatch.setattr("stages.prepare.LABEL_BYTES", 100_000)
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


KILL = """
import os, signal
from stages.runtime import arrays
from stages.datasets import pixels
arrays.CHECKPOINT_SECONDS = -1
pixels._CHUNK_ROWS = 5
append = arrays.ArrayWriter.append
left = [{appends}]
def die(self, rows):
    append(self, rows)
    left[0] -= 1
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
arrays.ArrayWriter.append = die
import stages.prepare as stage
stage.main()
"""


def kill_after(appends: int) -> int:
    script = KILL.format(appends=appends)
    ended = subprocess.run([sys.executable, "-c", script], timeout=60, capture_output=True)
    return ended.returncode


@pytest.mark.parametrize("appends", [1, 23])
def test_a_killed_prepare_goes_on(workspace: Path, appends: int) -> None:
    """Killed (-9) once, and again before it is done: the same bytes as without, no work twice."""
    download(write_folder(workspace.parent / "photos", class_folders(count=40)))
    assert prepare().status == 0
    whole = snapshot(PREPARED)
    files.fresh_folder(PREPARED)
    assert kill_after(appends) == -signal.SIGKILL
    assert list(PREPARED.iterdir()) == []
    assert kill_after(2) == -signal.SIGKILL
    decoded = []
    with pytest.MonkeyPatch.context() as patch:
        from stages.datasets import pixels as module

        run = module.FileTask.run
        patch.setattr(
            module.FileTask, "run", lambda task: (decoded.append(len(task.offsets)), run(task))[1]
        )
        ended = prepare()
    assert ended.status == 0
    assert snapshot(PREPARED) == whole
    assert sum(decoded) <= 80 - (appends + 2) // 2 * 5 + 10
    assert any("from a run that was stopped" in line for line in ended.out) or appends > 1
    assert list(Path(".state/resume").iterdir()) == []


def test_other_parameters_never_go_on_with_it(workspace: Path) -> None:
    download(write_folder(workspace.parent / "photos", class_folders(count=40)))
    assert prepare(split_seed=1).status == 0
    expected_bytes = snapshot(PREPARED)
    files.write_json(PrepareParameters.path(), json.loads(PrepareParameters.path().read_text()))
    prepare(split_seed=2)
    assert kill_after(8) == -signal.SIGKILL
    ended = prepare(split_seed=1)
    assert not any("stopped" in line for line in ended.out)
    assert snapshot(PREPARED) == expected_bytes


def test_a_kill_between_two_passes(workspace: Path) -> None:
    """With unreadable images left out, the second pass is gone on with, too."""
    photos = write_folder(workspace.parent / "photos", class_folders(count=20) | BAD_IMAGES)
    download(photos)
    assert prepare(unreadable="skip").status == 0
    whole = snapshot(PREPARED)
    for appends in (20, 24):
        files.fresh_folder(PREPARED)
        assert kill_after(appends) == -signal.SIGKILL
        assert prepare(unreadable="skip").status == 0
        assert snapshot(PREPARED) == whole


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_ctrl_c_with_several_processes(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """One line, exit status 130 or 143, no process left, and the next start goes on."""
    monkeypatch.setattr("stages.datasets.pool._processors", lambda: 1)  # here, not in the stage
    download(write_zip(workspace.parent / "photos.zip", large_folders()))
    prepare()
    whole = snapshot(PREPARED)
    shutil.rmtree(PREPARED)
    process = subprocess.Popen(
        without_record("prepare"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    children = workers_of(process)
    os.killpg(process.pid, number)
    _, error = process.communicate(timeout=60)
    status, word = (143, "terminated") if number == signal.SIGTERM else (130, "interrupted")
    assert process.returncode == status, error
    assert error.splitlines()[-1] == f"prepare: {word}; `dvc repro` goes on from here"
    assert "Traceback" not in error
    _, alive = psutil.wait_procs(children, timeout=30)
    assert alive == []
    assert not PREPARED.exists()
    assert prepare().status == 0
    assert snapshot(PREPARED) == whole


def workers_of(process: subprocess.Popen) -> list[psutil.Process]:
    """The processes that the stage has started, as soon as there are two."""
    if len(os.sched_getaffinity(0)) < 2:
        process.kill()
        pytest.skip("one processor: the stage starts no processes")
    parent = psutil.Process(process.pid)
    deadline = time.monotonic() + 60
    while len(children := parent.children(recursive=True)) < 2:
        assert time.monotonic() < deadline, "no processes were started"
        assert process.poll() is None, "the stage ended too early"
        time.sleep(0.01)
    return children


def large_folders() -> dict[str, bytes]:
    """Enough bytes to be worth several processes: 11 MB."""
    few = [png(number, 300, 300) for number in range(3)]
    return {
        f"{label}/{number:04}.png": few[(number + len(label)) % 3]
        for label in ("cat", "horse")
        for number in range(20)
    }


def test_workers_end_with_a_killed_stage(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """kill -9 of the stage leaves no process behind, and the next start goes on."""
    monkeypatch.setattr("stages.datasets.pool._processors", lambda: 1)  # here, not in the stage
    download(write_zip(workspace.parent / "photos.zip", large_folders()))
    prepare(split_seed=7)
    whole = snapshot(PREPARED)
    files.fresh_folder(PREPARED)
    process = subprocess.Popen(
        without_record("prepare"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    children = workers_of(process)
    process.kill()
    process.wait()
    _, alive = psutil.wait_procs(children, timeout=30)
    assert alive == []
    assert prepare(split_seed=7).status == 0
    assert snapshot(PREPARED) == whole


def test_a_full_disk_gets_one_line(workspace: Path) -> None:
    download(write_folder(workspace.parent / "photos", class_folders(count=40)))
    prepare(image_size=16)
    whole = snapshot(PREPARED)
    files.fresh_folder(PREPARED).rmdir()
    ended = subprocess.run(
        ["bash", "-c", 'ulimit -f 8; exec "$@"', "bash", *without_record("prepare")],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1].startswith("prepare: no room on the disk"), ended.stderr
    assert "Traceback" not in ended.stderr
    assert not PREPARED.exists()
    assert prepare(image_size=16).status == 0
    assert snapshot(PREPARED) == whole


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
        timeout=60,
    )
    assert ended.stdout.strip() == "[]", ended.stderr


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
