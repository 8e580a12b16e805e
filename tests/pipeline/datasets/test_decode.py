"""One image to pixels: what is accepted, with the right pixels, and what is not."""

import struct
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pipeline.datasets.decode import UnreadableError, decode
from pipeline.datasets.resizing import Resize
from tests.pipeline.datasets.pictures import encoded, png

SIDE = 8
GREY = (np.arange(SIDE * SIDE, dtype="uint8") * 4).reshape(SIDE, SIDE)
COLOUR = np.dstack([GREY, GREY[::-1], GREY.T])


def read(data: bytes, channels: int = 3) -> np.ndarray:
    return decode(data, (SIDE, SIDE, channels), Resize())[0]


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM", "TGA"])
def test_lossless_colour_keeps_every_pixel(kind: str) -> None:
    assert read(encoded(Image.fromarray(COLOUR), kind)).tolist() == COLOUR.tolist()


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("JPEG", {"quality": 95, "subsampling": 0}),
        ("WEBP", {"lossless": True}),
        ("JPEG2000", {}),
        ("AVIF", {"quality": 100, "subsampling": "4:4:4"}),
    ],
)
def test_photographs_formats_come_near(kind: str, options: dict[str, Any]) -> None:
    smooth = np.asarray(Image.fromarray(COLOUR[:2, :2]).resize((SIDE, SIDE), 2))
    got = read(encoded(Image.fromarray(smooth), kind, **options))
    assert np.abs(got.astype(int) - smooth).max() <= 8


def test_palette() -> None:
    image = Image.fromarray(COLOUR).convert("P", palette=Image.Palette.ADAPTIVE, colors=64)
    expected = np.asarray(image.convert("RGB"))
    assert read(encoded(image)).tolist() == expected.tolist()
    assert read(encoded(image, "GIF")).tolist() == expected.tolist()


def test_cmyk() -> None:
    image = Image.fromarray(COLOUR).convert("CMYK")
    assert read(encoded(image, "TIFF")).tolist() == COLOUR.tolist()
    smooth = Image.new("CMYK", (SIDE, SIDE), (0, 255, 255, 0))
    assert np.abs(read(encoded(smooth, "JPEG")).astype(int) - [255, 0, 0]).max() <= 4


def test_alpha_stands_on_white() -> None:
    image = Image.new("RGBA", (2, 1))
    image.putdata([(200, 100, 50, 255), (200, 100, 50, 0)])
    assert decode(encoded(image.resize((2, 2), 0)), (2, 2, 3), Resize())[0][0].tolist() == [
        [200, 100, 50],
        [255, 255, 255],
    ]
    half = Image.new("LA", (4, 4), (0, 128))
    assert set(decode(encoded(half), (4, 4, 1), Resize())[0].ravel().tolist()) == {127}
    palette = Image.new("P", (2, 2), 0)
    palette.putpalette([10, 20, 30, 40, 50, 60])
    palette.putpixel((1, 1), 1)
    got = decode(encoded(palette, transparency=1), (2, 2, 3), Resize())[0]
    assert got[0, 0].tolist() == [10, 20, 30]
    assert got[1, 1].tolist() == [255, 255, 255]


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_16_bits_keep_the_upper_eight(kind: str) -> None:
    image = Image.fromarray(GREY.astype("uint16") * 257)
    assert read(encoded(image, kind), channels=1)[..., 0].tolist() == GREY.tolist()
    assert read(encoded(image, kind))[..., 2].tolist() == GREY.tolist()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_turns_the_image_upright(orientation: int) -> None:
    upright = np.zeros((4, 8, 3), "uint8")
    upright[:2, :2] = 255
    turns = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, 3),
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(turns[orientation]))
    got, size = decode(encoded(stored, exif=exif), (8, 8, 3), Resize())
    assert size == (8, 4)
    expected = Image.fromarray(upright).resize((8, 8), Image.Resampling.BILINEAR)
    assert got.tolist() == np.asarray(expected).tolist()


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_animated_gives_the_first_frame(kind: str) -> None:
    frames = [Image.new("RGB", (SIDE, SIDE), colour) for colour in ("red", "blue", "lime")]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    assert read(data).tolist() == np.asarray(frames[0]).tolist()


def test_one_pixel() -> None:
    assert decode(encoded(Image.new("RGB", (1, 1), (9, 8, 7))), (3, 3, 3), Resize())[
        0
    ].tolist() == (np.full((3, 3, 3), (9, 8, 7)).tolist())


def test_bilevel_and_grey_and_colour_to_the_channels_asked_for() -> None:
    bilevel = Image.fromarray(GREY > 100)
    assert read(encoded(bilevel))[..., 1].tolist() == ((GREY > 100) * 255).tolist()
    grey = Image.fromarray(GREY)
    assert read(encoded(grey)).tolist() == np.repeat(GREY[..., None], 3, axis=2).tolist()
    luma = np.asarray(Image.fromarray(COLOUR).convert("L"))
    assert read(encoded(Image.fromarray(COLOUR)), channels=1)[..., 0].tolist() == luma.tolist()


def test_resizing_is_pillows_bilinear() -> None:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (33, 21, 3), dtype="uint8"))
    expected = np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BILINEAR))
    got, size = decode(encoded(image), (SIDE, SIDE, 3), Resize())
    assert got.tolist() == expected.tolist()
    assert size == (21, 33)


def huge(width: int, height: int) -> bytes:
    """A PNG of one pixel whose header declares more."""
    data = bytearray(encoded(Image.new("L", (1, 1))))
    data[16:24] = struct.pack(">II", width, height)
    data[29:33] = struct.pack(">I", zlib.crc32(bytes(data[12:29])))
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "an empty file"),
        (b"this is a text and no image\n", "not an image of a known format"),
        (png()[:60], "damaged: image file is truncated"),
        (encoded(Image.fromarray(COLOUR), "JPEG")[:-30], "damaged: Truncated File Read"),
        (encoded(Image.fromarray(COLOUR), "JPEG")[:100], "damaged: "),
        (encoded(Image.fromarray(COLOUR), "EPS"), "not an image of a known format"),
        (huge(20_000, 5_001), "100 megapixels, more than 100"),
        (huge(60_000, 60_000), "over 100 megapixels"),
        (encoded(Image.new("F", (2, 2)), "TIFF"), "floating-point pixels"),
        (encoded(Image.new("I", (2, 2), 70_000), "TIFF"), "32-bit pixels"),
    ],
)
def test_the_rest_is_unreadable_with_a_reason(data: bytes, reason: str) -> None:
    with pytest.raises(UnreadableError) as error:
        decode(data, (SIDE, SIDE, 3), Resize())
    assert str(error.value).startswith(reason)
    assert "\n" not in str(error.value)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(["PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP"]), st.data())
def test_damaged_bytes_never_crash(kind: str, data: st.DataObject) -> None:
    """Any damage gives pixels or the one exception that the stage counts."""
    whole = bytearray(encoded(Image.fromarray(COLOUR), kind))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    reason = None
    try:
        assert decode(bytes(whole), (SIDE, SIDE, 3), Resize())[0].shape == (SIDE, SIDE, 3)
    except UnreadableError as error:
        reason = str(error)
    assert reason != ""
