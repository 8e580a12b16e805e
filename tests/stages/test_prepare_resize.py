"""The stage prepare with stretch, crop and pad, a pair of sides, and a disk that is too small."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from pipeline.datasets.decode import decode
from pipeline.datasets.resizing import Resize
from pipeline.runtime import estimate
from pipeline.runtime.paths import PREPARED, RAW
from tests.pipeline.datasets.outs import arrays, described, split_table
from tests.pipeline.datasets.pictures import (
    class_folders,
    download,
    encoded,
    prepare,
    write_folder,
)

SAID = {
    "stretch": [],
    "crop": ["prepare: images are cropped to 3×5 pixels around the centre, without a margin of 12.5%"],
    "pad": ["prepare: images are padded with grey (128, 128, 128) to 3×5 pixels"],
}  # fmt: skip
DESCRIBED = {
    "stretch": None,
    "crop": {"method": "crop", "share": 0.875},
    "pad": {"method": "pad", "grey": 128},
}
THIN = encoded(Image.new("RGB", (1, 10_000)))


@pytest.mark.parametrize("method", SAID)
def test_ones_own_photographs(workspace: Path, method: str) -> None:
    contents = class_folders()
    download(write_folder(workspace.parent / "photos", contents))
    ended = prepare(image_size=[3, 5], resize=method)
    assert ended.out[:-1] == SAID[method]
    assert described()["image_shape"] == [3, 5, 3]
    assert described().get("resize") == DESCRIBED[method]
    rows = iter(split_table())
    for part in ("train", "validation", "test"):
        for image in arrays(part)[0]:
            expected = decode(contents[next(rows)["name"]], (3, 5, 3), Resize(method))[0]
            assert image.tolist() == expected.tolist()


@pytest.mark.parametrize("method", SAID)
def test_a_named_set(workspace: Path, method: str) -> None:
    download("digits")
    assert prepare(image_size=[12, 24], channels=None, resize=method).status == 0
    images, _ = arrays("test")
    assert images.shape[1:] == (12, 24, 1)
    rows = [int(row["index"]) for row in split_table() if row["part"] == "test"]
    originals = np.load(RAW / "images.npy")[rows, ..., 0]
    for image, original in zip(images[:20], originals, strict=False):
        expected = Resize(method).fit(Image.fromarray(original), 12, 24)
        assert image[..., 0].tolist() == np.asarray(expected).tolist()
    if method == "pad":
        assert (images[:, :, :6] == 128).all()
        assert (images[:, :, 18:] == 128).all()


@pytest.mark.parametrize("method", ["crop", "pad"])
def test_a_photograph_of_which_nothing_is_left_is_one_line(workspace: Path, method: str) -> None:
    download(write_folder(workspace.parent / "photos", {**class_folders(), "cat/thin.png": THIN}))
    found = f"1 image cannot be read: cat/thin.png (1×10000 pixels, of which {method} leaves nothing)"  # fmt: skip
    ended = prepare(resize=method)
    assert ended.status == 1
    assert ended.error == [
        f"prepare: dataset: {found}; repair or remove them, or set unreadable to skip"
    ]
    assert not PREPARED.exists()
    ended = prepare(resize=method, unreadable="skip")
    assert f"prepare: {found}; left out" in ended.out
    assert described()["skipped"] == ["cat/thin.png"]
    assert prepare(resize="stretch").status == 0


@pytest.fixture
def small_disk(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """`free` bytes on every disk."""
    disk = SimpleNamespace(free=0)
    monkeypatch.setattr(estimate.shutil, "disk_usage", lambda path: disk)
    return disk


def test_a_disk_that_cannot_hold_it(workspace: Path, small_disk: SimpleNamespace) -> None:
    """Before an image is read, in one line that names the folder; then as if nothing was."""
    photos = write_folder(workspace.parent / "photos", class_folders())
    ended = download(photos)
    assert (ended.status, RAW.exists(), len(ended.error)) == (1, False, 1)
    assert " are needed there and 0.00 GB free; make room" in ended.error[0]
    small_disk.free = 10**6
    assert download(photos).status == 0
    needed = 12 * (1000 * 1000 * 3 + 2 * 4)
    small_disk.free = needed - 1
    ended = prepare(image_size=1000)
    (line,) = ended.error
    state = str(workspace / ".state" / "resume" / "prepare-")
    assert (ended.status, ended.out) == (1, [])
    assert line.startswith(f"prepare: {state}")
    assert line.endswith(
        ": 0.04 GB are needed there and 0.04 GB free; make room or choose a smaller image_size"
    )
    assert not PREPARED.exists()
    small_disk.free = needed
    assert prepare(image_size=1000).status == 0


@pytest.mark.parametrize(("worth", "lines"), [(0.0, 1), (60.0, 0)])
def test_what_it_will_take_is_said_where_it_is_long(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, worth: float, lines: int
) -> None:
    monkeypatch.setattr(estimate, "WORTH_SECONDS", worth)
    monkeypatch.setattr(estimate, "BLOCK_SECONDS", 0.0)
    monkeypatch.setattr("pipeline.datasets.pixels._CHUNK_ROWS", 2)
    download(write_folder(workspace.parent / "photos", class_folders(count=20)))
    said = [line for line in prepare().out if " a second: about 1 minute and 0.00 GB" in line]
    assert len(said) == lines
