"""HEIC, as phones make it: upright, under any name and in any archive, and what its lack says."""

import io
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.datasets.decode import UnreadableError, decode
from pipeline.datasets.heic import is_heic
from pipeline.datasets.resizing import Resize
from tests.pipeline.datasets.outs import arrays, split_table
from tests.pipeline.datasets.pictures import (
    class_folders,
    download,
    encoded,
    prepare,
    write_folder,
    write_tar,
    write_zip,
)

UPRIGHT = np.zeros((16, 32, 3), "uint8")
UPRIGHT[:8, :8] = (255, 0, 0)
UPRIGHT[8:, 24:] = (0, 255, 0)
TURNED = {
    1: UPRIGHT,
    3: UPRIGHT[::-1, ::-1],
    6: np.rot90(UPRIGHT),
    8: np.rot90(UPRIGHT, 3),
}
# The first bytes of a photograph, for a machine that cannot make one.
HEAD = b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic" + bytes(40)


def photograph(pixels: np.ndarray = UPRIGHT, orientation: int = 1) -> bytes:
    """A HEIC by pillow-heif; its EXIF says how it was turned, as a phone's does."""
    pillow_heif = pytest.importorskip("pillow_heif", reason="needs `make setup EXTRA=heic`")
    pillow_heif.register_heif_opener()
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    image = Image.fromarray(np.ascontiguousarray(pixels))
    image.save(buffer, "HEIF", quality=95, chroma=444, exif=exif.tobytes())
    return buffer.getvalue()


@pytest.mark.parametrize("orientation", TURNED)
def test_a_photograph_is_upright_and_turned_once(orientation: int) -> None:
    data = photograph(TURNED[orientation], orientation)
    assert is_heic(data)
    pixels, size = decode(data, UPRIGHT.shape, Resize())
    assert size == (32, 16)
    assert np.abs(pixels.astype(int) - UPRIGHT).max() <= 8


@pytest.mark.parametrize("lost", [1, 40, 300])
def test_a_part_of_one_is_unreadable_in_one_line(lost: int) -> None:
    with pytest.raises(UnreadableError, match=r"^damaged: .*[^\n]$") as error:
        decode(photograph()[:-lost], (8, 8, 3), Resize())
    assert "\n" not in str(error.value)


def test_avif_and_others_are_none() -> None:
    assert not is_heic(encoded(Image.new("RGB", (8, 8)), "AVIF"))
    assert not is_heic(encoded(Image.new("RGB", (8, 8)), "JPEG"))
    assert not is_heic(b"")
    assert is_heic(HEAD)


@pytest.mark.parametrize("kind", ["folder", "zip", "tar"])
def test_beside_others_wherever_it_is(workspace: Path, kind: str) -> None:
    contents = class_folders()
    contents["cat/IMG_0001.HEIC"] = contents["dog/IMG_2.hif"] = photograph()
    write = {"folder": write_folder, "zip": write_zip, "tar": write_tar}[kind]
    download(write(workspace.parent / f"photos.{kind}", contents))
    assert prepare(image_size=[16, 32]).status == 0
    found = 0
    for part in ("train", "validation", "test"):
        rows = [row for row in split_table() if row["part"] == part]
        for row, image in zip(rows, arrays(part)[0], strict=True):
            if "IMG" in row["name"]:
                assert np.abs(image.astype(int) - UPRIGHT).max() <= 8
                found += 1
    assert found == 2


@pytest.mark.parametrize("unreadable", ["error", "skip"])
def test_without_the_extra_one_line_names_the_first(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, unreadable: str
) -> None:
    """Nothing is left out for want of a library: what is there would hang on the machine."""
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    names = ("cat/IMG_1.heic", "cat/IMG_2.HEIC", "dog/IMG_3.heif")
    contents = class_folders() | dict.fromkeys(names, HEAD)
    download(write_folder(workspace.parent / "photos", contents))
    ended = prepare(unreadable=unreadable)
    assert (ended.status, ended.out) == (1, [])
    assert ended.error == [
        "prepare: dataset: cat/IMG_1.heic and 2 more: HEIC; `make setup EXTRA=heic` brings what "
        "reads it"
    ]


def test_without_the_extra_one_under_another_name_says_what_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(UnreadableError, match=r"^HEIC; `make setup EXTRA=heic` brings what reads"):
        decode(HEAD, (8, 8, 3), Resize())
