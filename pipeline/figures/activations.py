"""What the first layers see of one image: every channel as a small map.

The pictures have a palette, which makes them less than half as large as true
colour: 240 steps of viridis, and 16 steps of the title's ink from clear to full.
"""

import io
from pathlib import Path

import numpy as np
from matplotlib import colormaps, get_data_path
from PIL import Image, ImageDraw, ImageFont

from pipeline.figures import style

ACROSS = 16  # channels in a row
_CELL = 46  # pixels, the longer side of a channel's map, as near as whole pixels allow
_LARGEST = 64
_GAP = 2
_TITLE = 26
_COLOURS = 240
_INKS = 256 - _COLOURS
CLEAR = _COLOURS  # the palette's index of nothing


def standardised(maps: np.ndarray) -> np.ndarray:
    """(h, w, c) float32 to uint8, each channel for itself: mean at 128, 64 a standard deviation.

    As in Chollet's book (first edition, 5.4). A constant channel is 128 throughout.
    """
    values = maps.astype(np.float64)
    centred = values - values.mean(axis=(0, 1))
    spread = values.std(axis=(0, 1))
    # Rounding leaves a constant channel a spread near 0, which must not be blown up.
    varies = spread > 1e-6 * np.abs(values).max(axis=(0, 1))
    scaled = np.divide(64 * centred, spread, out=np.zeros_like(centred), where=varies)
    return np.clip(np.rint(scaled + 128), 0, 255).astype(np.uint8)


def channel_sheet(maps: np.ndarray) -> np.ndarray:
    """(h, w, c) maps as one (H, W) uint8 sheet of palette indices, 16 channels a row."""
    steps = np.rint(standardised(maps) * ((_COLOURS - 1) / 255)).astype(np.uint8)
    cells = [_sized(channel) for channel in np.moveaxis(steps, 2, 0)]
    height, width = cells[0].shape
    rows, columns = -(-len(cells) // ACROSS), min(len(cells), ACROSS)
    sheet = np.full(
        (rows * (height + _GAP) - _GAP, columns * (width + _GAP) - _GAP), CLEAR, np.uint8
    )
    for number, cell in enumerate(cells):
        row, column = divmod(number, ACROSS)
        top, left = row * (height + _GAP), column * (width + _GAP)
        sheet[top : top + height, left : left + width] = cell
    return sheet


def activations_figure(name: str, maps: np.ndarray) -> bytes:
    """A PNG of one layer's channels under its name, on a clear ground (dark or light pages)."""
    height, width, channels = maps.shape
    noun = "channel" if channels == 1 else "channels"
    title = _title(f"{name}: {channels} {noun} of {height}×{width}")
    sheet = channel_sheet(maps)
    whole = np.full((_TITLE + sheet.shape[0], max(sheet.shape[1], title.shape[1])), CLEAR, np.uint8)
    whole[:_TITLE, : title.shape[1]] = title
    whole[_TITLE:, : sheet.shape[1]] = sheet
    picture = Image.fromarray(whole)
    picture.putpalette(_palette())
    buffer = io.BytesIO()
    opacity = bytes([255] * _COLOURS + [round(255 * step / (_INKS - 1)) for step in range(_INKS)])
    picture.save(buffer, "PNG", transparency=opacity)
    return buffer.getvalue()


def _title(text: str) -> np.ndarray:
    """One line of text as (_TITLE, width) palette indices."""
    file = Path(get_data_path()) / "fonts" / "ttf" / "DejaVuSans-Bold.ttf"
    font = ImageFont.truetype(str(file), 16, layout_engine=ImageFont.Layout.BASIC)
    canvas = Image.new("L", (int(font.getlength(text)) + 2, _TITLE))
    ImageDraw.Draw(canvas).text((0, _TITLE - 9), text, 255, font, anchor="ls")
    return (np.asarray(canvas) // (256 // _INKS) + CLEAR).astype(np.uint8)


def _palette() -> bytes:
    colours = np.rint(colormaps["viridis"](np.linspace(0, 1, _COLOURS))[:, :3] * 255)
    ink = bytes.fromhex(style.FAINT.removeprefix("#"))
    return colours.astype(np.uint8).tobytes() + ink * _INKS


def _sized(cell: np.ndarray) -> np.ndarray:
    """A (h, w) map near the size of a cell: pixels repeated, or squares of them averaged."""
    longest = max(cell.shape)
    if longest <= _LARGEST:
        times = max(1, round(_CELL / longest))
        return cell.repeat(times, axis=0).repeat(times, axis=1)
    step = -(-longest // _LARGEST)
    edges = [np.arange(0, side, step) for side in cell.shape]
    sums = np.add.reduceat(np.add.reduceat(cell.astype(np.int64), edges[0], 0), edges[1], 1)
    ones = np.add.reduceat(np.add.reduceat(np.ones(cell.shape, np.int64), edges[0], 0), edges[1], 1)
    return np.rint(sums / ones).astype(np.uint8)
