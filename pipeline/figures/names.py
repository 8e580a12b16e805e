"""Class names as they can stand in a picture.

The one place that decides it: a picture uses the font that matplotlib carries
(DejaVu Sans: Latin, Greek, Cyrillic, Arabic, Hebrew …), never one of the
machine's, for then the bytes would depend on the machine. A name with letters
that this font lacks (Korean, Chinese, emoji …) stands in pictures as its
number, `class 3`, counted from 0. The report's own text shows it in full, for
there the browser chooses the font, and says which number is which.
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from matplotlib import get_data_path
from matplotlib.ft2font import FT2Font

LONGEST = 18  # characters that fit beside an axis


def picture_names(classes: Sequence[str], longest: int = LONGEST) -> list[str]:
    """The classes' names for a picture: short, and without letters that would show as boxes."""
    return [
        shortened(name, longest) if drawable(name) else f"class {number}"
        for number, name in enumerate(classes)
    ]


def numbered(classes: Sequence[str]) -> list[tuple[int, str]]:
    """The classes that stand in pictures as a number: (number, name)."""
    return [(number, name) for number, name in enumerate(classes) if not drawable(name)]


def drawable(name: str) -> bool:
    """Whether the pictures' font has every letter of a name."""
    return bool(name.strip()) and all(
        letter.isprintable() and ord(letter) in _letters() for letter in name
    )


def shortened(name: str, longest: int = LONGEST) -> str:
    """A long name with its middle left out, so that both ends tell it from others."""
    if len(name) <= longest:
        return name
    tail = (longest - 1) // 2
    return f"{name[: longest - 1 - tail]}…{name[-tail:]}"


@cache
def _letters() -> frozenset[int]:
    font = Path(get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    return frozenset(FT2Font(str(font)).get_charmap())
