"""Many small pictures on one sheet, pixel for pixel, with words beside or below them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.figures import style


@dataclass(frozen=True)
class Words:
    """Text on a sheet. `x` and `y` in pixels from the top left; `align` is what
    stands at x (left, center or right); y is the text's top, or its middle
    with `middle`; `size` in points."""

    x: float
    y: float
    text: str
    align: str = "left"
    size: float = 8
    middle: bool = False


def sheet_png(sheet: np.ndarray, words: Sequence[Words]) -> bytes:
    """A PNG of exactly the sheet's pixels, (h, w, 3) uint8, with text on it."""
    height, width = sheet.shape[:2]
    # A hair more than the pixels, so that no rounding drops one.
    with style.figure((width + 0.01) / style.DPI, (height + 0.01) / style.DPI, None) as figure:
        figure.figimage(sheet, 0, 0, origin="upper")
        for item in words:
            figure.text(
                item.x / width,
                1 - item.y / height,
                item.text,
                ha=item.align,
                va="center" if item.middle else "top",
                fontsize=item.size,
                linespacing=1.25,
            )
        return style.png(figure)


def labelled_rows(rows: Sequence[tuple[str, Sequence[np.ndarray]]], gap: int = 3) -> bytes:
    """A PNG with a name at the left of each row of (H, W, 3) uint8 pictures of one size."""
    height, width = rows[0][1][0].shape[:2]
    margin = 20 + round(max(len(name) for name, _ in rows) * 9.5)
    columns = max(len(pictures) for _, pictures in rows)
    sheet = white(len(rows) * (height + gap) + gap, margin + columns * (width + gap))
    words = []
    for row, (name, pictures) in enumerate(rows):
        top = gap + row * (height + gap)
        words.append(Words(margin - 10, top + height / 2, name, "right", 9, middle=True))
        for column, picture in enumerate(pictures):
            left = margin + column * (width + gap)
            sheet[top : top + height, left : left + width] = picture
    return sheet_png(sheet, words)


def captioned(
    pictures: Sequence[tuple[np.ndarray, str]], across: int, lines: int, narrowest: int = 100
) -> bytes:
    """A PNG of (H, W, 3) uint8 pictures of one size, `across` in a row, captions below.

    `lines` is how many a caption has, `narrowest` how many pixels it needs.
    """
    height, width = pictures[0][0].shape[:2]
    cell_height, cell_width = height + 14 + 17 * lines, max(width + 8, narrowest)
    columns = min(across, len(pictures))
    rows = -(-len(pictures) // columns)
    sheet = white(rows * cell_height, columns * cell_width)
    words = []
    for position, (picture, caption) in enumerate(pictures):
        row, column = divmod(position, columns)
        top, left = row * cell_height + 4, column * cell_width + (cell_width - width) // 2
        sheet[top : top + height, left : left + width] = picture
        words.append(Words(left + width / 2, top + height + 3, caption, "center"))
    return sheet_png(sheet, words)


def white(height: int, width: int) -> np.ndarray:
    """An empty (height, width, 3) uint8 sheet."""
    return np.full((height, width, 3), 255, np.uint8)
