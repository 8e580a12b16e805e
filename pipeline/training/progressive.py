"""Progressive resizing: the first epochs see smaller images, which cost less.

After Howard's entry in DAWNBench (fast.ai, 2018) and MosaicML's Composer, whose settings these
are: the side grows in a straight line, in steps of 4 pixels, until the last fifth of the epochs.
"""

import math

import numpy as np

from pipeline.datasets.resizing import Resize

# The share of the epochs, at least one, that see the whole images.
WHOLE = 0.2
STEP = 4  # pixels


def sizes(height: int, width: int, first: float, epochs: int) -> list[tuple[int, int]]:
    """The height and width of every epoch's images.

    Args:
        first: the share of the sides that the first epoch has, above 0 and below 1.
    """
    growing = max(1, epochs - max(1, math.ceil(WHOLE * epochs)))
    shares = [min(1.0, first + (1 - first) * epoch / growing) for epoch in range(epochs)]
    if epochs == 1:
        shares = [1.0]
    return [(_side(height, share), _side(width, share)) for share in shares]


def resized(images: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """uint8 images (n, height, width, channels) at another height and width, as `stretch` has
    them."""
    from PIL import Image

    if images.shape[1:3] == size:
        return images
    channels = images.shape[3]
    found = np.empty((len(images), *size, channels), "uint8")
    for place, image in enumerate(images):
        picture = Image.fromarray(image[..., 0] if channels == 1 else image)
        found[place] = np.asarray(Resize().fit(picture, *size)).reshape(*size, channels)
    return found


def _side(whole: int, share: float) -> int:
    """The nearest multiple of STEP, or the whole side."""
    return whole if share == 1 else min(whole, max(STEP, STEP * round(share * whole / STEP)))
