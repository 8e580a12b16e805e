"""HEIC, as phones make photographs: read by pillow-heif, which is an extra (`EXTRA=heic`).

It turns a photograph as the file says and takes that from EXIF, so that
nothing is turned twice; of HDR's ten bits it gives eight.
"""

from collections.abc import Iterable

from pipeline.datasets.names import HEIC_ENDINGS, shown
from pipeline.errors import PipelineError

# The name under which Pillow has the format, once pillow-heif has told it.
FORMAT = "HEIF"
INSTALL = "`make setup EXTRA=heic` brings what reads it"
# Major or compatible brands of a file (ISO/IEC 23008-12); AVIF has others and is Pillow's own.
_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}


def check(names: Iterable[str]) -> None:
    """Refuse files whose endings say that they are HEIC where nothing reads it.

    Raises:
        PipelineError: with the first of them.
    """
    called = [name for name in names if name.lower().endswith(HEIC_ENDINGS)]
    if called and not is_readable():
        beside = f" and {len(called) - 1:,} more" if len(called) > 1 else ""
        raise PipelineError(f"dataset: {shown(called[0])}{beside}: HEIC; {INSTALL}")


def is_heic(data: bytes) -> bool:
    """Whether a file's first bytes are those of HEIC, whatever it is called."""
    if data[4:8] != b"ftyp":
        return False
    end = min(int.from_bytes(data[:4], "big"), len(data), 256)
    brands = {data[8:12], *(data[at : at + 4] for at in range(16, end - 3, 4))}
    return bool(brands & _BRANDS)


def is_readable() -> bool:
    """Whether pillow-heif is installed; Pillow can then read the format."""
    try:
        import pillow_heif
    except ImportError:
        return False
    pillow_heif.register_heif_opener(thumbnails=False)
    return True
