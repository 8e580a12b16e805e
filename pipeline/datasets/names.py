"""The names of files: which are hidden, which are images, and how they are read and shown."""

import unicodedata
from collections.abc import Sequence
from itertools import pairwise

# Photographs of phones; only these need an extra (`pipeline.datasets.heic`).
HEIC_ENDINGS = (".heic", ".heif", ".hif")
# Files with these endings are taken for images.
IMAGE_ENDINGS = frozenset(
    (
        *(".apng", ".avif", ".bmp", ".dib", ".gif", ".ico", ".j2k", ".jfif"),
        *(".jp2", ".jpe", ".jpeg", ".jpg", ".mpo", ".pbm", ".pgm", ".png", ".pnm", ".ppm"),
        *(".tga", ".tif", ".tiff", ".webp"),
        *HEIC_ENDINGS,
    )
)
_SYSTEM_FILES = frozenset(
    ("__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin", "@eadir")
)


def is_hidden(name: str) -> bool:
    """Whether a file or folder is the system's own: .DS_Store, __MACOSX, Thumbs.db …"""
    return name.startswith(".") or name.lower() in _SYSTEM_FILES


def is_image(name: str) -> bool:
    """Whether the file's ending says that it is an image."""
    _, dot, ending = name.rpartition(".")
    return bool(dot) and f".{ending.lower()}" in IMAGE_ENDINGS


def decode(raw: bytes, otherwise: str) -> str:
    """A file's name as text, in one Unicode form (NFC) whatever system wrote it.

    Names are UTF-8 nearly always. Archives made by a Korean Windows hold
    cp949, known by the syllables of KS X 1001 (0xB0…0xC8 before 0xA1…0xFE,
    which are box drawings in the archives of other systems); the rest is read
    as the codec `otherwise`, which takes any byte (cp437, latin-1).
    """
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = _korean(raw) or raw.decode(otherwise)
    return unicodedata.normalize("NFC", text)


def _korean(raw: bytes) -> str | None:
    pairs = pairwise(raw)
    if not any(0xB0 <= first <= 0xC8 and second >= 0xA1 for first, second in pairs):
        return None
    try:
        return raw.decode("cp949")
    except UnicodeDecodeError:
        return None


def shown(name: str) -> str:
    """The name as it may stand in a message: on one line, no longer than 120 characters."""
    text = "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in name.encode("utf-8", "backslashreplace").decode()
    )
    return text if len(text) <= 120 else f"{text[:50]}…{text[-69:]}"


def listed(names: Sequence[str], most: int = 10, total: int | None = None) -> str:
    """'a, b and c', or 'a, b, c and 7 more'; `total` counts them where `names` are the first."""
    texts = [shown(name) for name in names[:most]]
    rest = (total or len(names)) - len(texts)
    if rest:
        return f"{', '.join(texts)} and {rest:,} more"
    return " and ".join([", ".join(texts[:-1]), texts[-1]] if len(texts) > 1 else texts)


def counted(number: int, noun: str) -> str:
    """'1 image', '2,000 images'."""
    return f"{number:,} {noun}{'s' * (number != 1)}"
