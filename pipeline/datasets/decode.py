"""One encoded image to pixels: first frame, upright, 8 bits, one or three channels, resized.

What Pillow's `convert` gives, with these rules beside: EXIF's orientation is
applied, alpha stands on white, of 16 bits the upper eight are kept, CMYK becomes
RGB without a colour profile. `pipeline.datasets.resizing` says how it is resized.
"""

import contextlib
import io
import warnings

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from pipeline.datasets import heic
from pipeline.datasets.resizing import Resize

Pixels = npt.NDArray[np.uint8]
Shape = tuple[int, int, int]

MOST_PIXELS = 100_000_000
MOST_BYTES = 1 << 29

# The formats that are read. Not among Pillow's others: those that call a program (EPS), and
# those that no camera or web page makes.
FORMATS = (
    *("AVIF", "BMP", "DIB", "GIF", "ICO", "JPEG", "JPEG2000", "PNG", "PPM", "TGA", "TIFF"),
    "WEBP",
)


class UnreadableError(Exception):
    """The image cannot be read; the message says why, in a few words."""


def decode(data: bytes, shape: Shape, resize: Resize) -> tuple[Pixels, tuple[int, int]]:
    """Read an image.

    Args:
        data: the file's bytes.
        shape: (height, width, channels) of what is made of it; 1 channel is grey, 3 are
            red, green and blue.
        resize: how it gets that height and width.

    Returns:
        uint8 of that shape, and the width and height of the image as it came (upright).

    Raises:
        UnreadableError: not an image of `FORMATS` nor HEIC, damaged, over 100 megapixels, or
            one of which nothing would be left.
    """
    formats: tuple[str, ...] = FORMATS
    if heic.is_heic(data):
        if not heic.is_readable():
            raise UnreadableError(f"HEIC; {heic.INSTALL}")
        formats = (*FORMATS, heic.FORMAT)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of odd tags in images that it reads
            with Image.open(io.BytesIO(data), formats=formats) as image:
                return _read(image, shape, resize)
    except (UnreadableError, MemoryError):
        raise
    except Image.UnidentifiedImageError:
        begun = "damaged: HEIC that is not whole" if heic.is_heic(data) else None
        unknown = "not an image of a known format" if data else "an empty file"
        raise UnreadableError(begun or unknown) from None
    except Image.DecompressionBombError:
        raise UnreadableError("over 100 megapixels") from None
    except Exception as error:  # each of Pillow's plugins raises others on damaged files
        raise UnreadableError(f"damaged: {' '.join(str(error).split())}") from None


def _read(image: Image.Image, shape: Shape, resize: Resize) -> tuple[Pixels, tuple[int, int]]:
    width, height = image.size
    if width * height > MOST_PIXELS:
        megapixels = f"{width * height / 1e6:,.0f} megapixels, more than {MOST_PIXELS / 1e6:.0f}"
        raise UnreadableError(megapixels)
    image.load()
    with contextlib.suppress(Exception):  # damaged EXIF is no reason to lose the image
        ImageOps.exif_transpose(image, in_place=True)
    refusal = resize.refusal(image.size, *shape[:2])
    if refusal:
        raise UnreadableError(refusal)
    return convert(image, shape, resize), image.size


def convert(image: Image.Image, shape: Shape, resize: Resize) -> Pixels:
    """A loaded image as uint8 (height, width, channels)."""
    height, width, channels = shape
    image = _eight_bits(image)
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        ground = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(ground, image)
    image = image.convert("L" if channels == 1 else "RGB")
    return np.asarray(resize.fit(image, height, width)).reshape(shape)


def _eight_bits(image: Image.Image) -> Image.Image:
    """16 bits to 8. Pillow itself would cut all above 255 off."""
    if image.mode.startswith("I"):
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 65535:
            raise UnreadableError("32-bit pixels; save it with 8 or 16 bits")
        return Image.fromarray((values >> 8).astype("uint8"))
    if image.mode == "F":
        raise UnreadableError("floating-point pixels; save it with 8 or 16 bits")
    return image
