"""The stage prepare on all kinds of images: accepted, unreadable, too few, twice."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.parameters.stages import PrepareParameters
from pipeline.runtime import files
from pipeline.runtime.paths import PARTS, PREPARED
from tests.pipeline.datasets.outs import (
    BAD_IMAGES,
    arrays,
    check_against_files,
    described,
    split_table,
)
from tests.pipeline.datasets.pictures import (
    class_folders,
    download,
    encoded,
    png,
    prepare,
    write_folder,
)
from tests.support import snapshot

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


UNREADABLE = (
    "3 images cannot be read: cat/empty.png (an empty file), cat/text.jpg (not an image of a "
    "known format) and dog/cut.png (damaged: image file is truncated)"
)


def test_unreadable_images_are_all_named_and_nothing_is_kept(workspace: Path) -> None:
    download(write_folder(workspace.parent / "photos", class_folders() | BAD_IMAGES))
    PREPARED.mkdir()
    (PREPARED / "earlier").write_text("stays")
    before = snapshot(workspace)
    ended = prepare()
    assert ended.error == [
        f"prepare: dataset: {UNREADABLE}; repair or remove them, or set unreadable to skip"
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
    assert "cat/bad 09.jpg (not an image of a known format) and 15 more; repair" in line
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
