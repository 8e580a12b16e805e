"""Random changes of whole batches of images, drawn with NumPy from a seeded generator.

`affine` turns, shifts, shears, zooms and mirrors, and `random_resized_crop` takes a
part of the image and mirrors, each with one map and one interpolation an image;
`translate` moves by whole pixels and mirrors, which costs hardly anything;
`random_erasing` puts noise over a rectangle. All are the same with every backend.
"""

import keras
import numpy as np

ROTATION = 20.0  # degrees, either way
SHIFT = 0.1  # of the image's height and width, either way
SHEAR = 0.1  # of x by y, either way
ZOOM = 0.1  # from 1 − ZOOM to 1 + ZOOM
TRANSLATION = 2 / 32  # of the image's height and width, either way, in whole pixels, of `translate`


CROP_AREA = (0.08, 1.0)  # of the image's, as in Inception's training (arXiv 1409.4842)
CROP_RATIO = (3 / 4, 4 / 3)  # width to height
ERASED_SHARE = 0.5  # of the images; area and ratio as in Random erasing (arXiv 1708.04896)
ERASED_AREA = (0.02, 0.4)
ERASED_RATIO = (0.3, 1 / 0.3)


def translate(
    images: np.ndarray, generator: np.random.Generator, mirrored: np.ndarray
) -> np.ndarray:
    """Move each image at random, with reflected edges, and mirror the chosen ones.

    Args:
        images: uint8 (n, height, width, channels).
        generator: decides the moves.
        mirrored: bool (n,).

    Returns:
        uint8 (n, height, width, channels).
    """
    height, width = images.shape[1:3]
    most = [max(1, round(size * TRANSLATION)) for size in (height, width)]
    down, right = (generator.integers(0, 2 * size + 1, len(images)) for size in most)
    edges = ((0, 0), (most[0], most[0]), (most[1], most[1]), (0, 0))
    padded = np.pad(images, edges, "reflect")
    moved = np.empty_like(images)
    # A copy an image: three to four times as fast as one fancy index into all windows.
    for image, (top, left, turned) in enumerate(zip(down, right, mirrored, strict=True)):
        window = padded[image, top : top + height, left : left + width]
        moved[image] = window[:, ::-1] if turned else window
    return moved


def affine(images: np.ndarray, generator: np.random.Generator, mirror: bool) -> np.ndarray:
    """Transform each image at random; edges are filled with the nearest pixel.

    Args:
        images: uint8 (n, height, width, channels).
        generator: decides the transforms; the same state gives the same pixels.
        mirror: mirror half of the images left to right. Makes no sense for
            digits, so the data set says whether it may be.

    Returns:
        uint8 (n, height, width, channels).
    """
    return _moved(images, random_maps(len(images), images.shape[1:3], generator, mirror))


def random_resized_crop(
    images: np.ndarray, generator: np.random.Generator, mirror: bool
) -> np.ndarray:
    """A rectangle of each image, of random area and ratio, brought to the image's size.

    Arguments and result as for `affine`.
    """
    count, (height, width) = len(images), images.shape[1:3]
    crop_height, crop_width = _rectangles(count, height, width, CROP_AREA, CROP_RATIO, generator)
    top = generator.random(count) * (height - crop_height)
    left = generator.random(count) * (width - crop_width)
    flip = generator.random(count) < 0.5 if mirror else np.zeros(count, bool)
    across, down = (crop_width - 1) / max(width - 1, 1), (crop_height - 1) / max(height - 1, 1)
    zero = np.zeros(count)
    # From the output's column x to the input's: left + x · across, or from the right.
    start = np.where(flip, left + crop_width - 1, left)
    step = np.where(flip, -across, across)
    maps = np.stack([step, zero, start, zero, down, top, zero, zero], axis=1)
    return _moved(images, maps.astype("float32"))


def random_erasing(images: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Noise over a rectangle of some of the images.

    Args:
        images: uint8 (n, height, width, channels).
        generator: decides which, where, and the noise.

    Returns:
        uint8 (n, height, width, channels), a copy.
    """
    count, (height, width) = len(images), images.shape[1:3]
    chosen = generator.random(count) < ERASED_SHARE
    sides = _rectangles(count, height, width, ERASED_AREA, ERASED_RATIO, generator)
    heights, widths = (np.maximum(1, np.rint(side)).astype(int) for side in sides)
    tops = generator.integers(0, height - heights + 1)
    lefts = generator.integers(0, width - widths + 1)
    noise = generator.integers(0, 256, images.shape, dtype="uint8")
    rows, columns = np.arange(height)[:, None], np.arange(width)[None]
    erased = images.copy()
    for image in np.flatnonzero(chosen):
        top, left = tops[image], lefts[image]
        inside = (rows >= top) & (rows < top + heights[image])
        inside = inside & (columns >= left) & (columns < left + widths[image])
        erased[image][inside] = noise[image][inside]
    return erased


def _rectangles(
    count: int,
    height: int,
    width: int,
    area: tuple[float, float],
    ratio: tuple[float, float],
    generator: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Heights and widths, float64 (count,), in pixels, of rectangles that fit into the image."""
    areas = generator.uniform(*area, count) * height * width
    narrow, wide = (float(np.log(each)) for each in ratio)
    ratios = np.exp(generator.uniform(narrow, wide, count))
    return np.minimum(np.sqrt(areas / ratios), height), np.minimum(np.sqrt(areas * ratios), width)


def _moved(images: np.ndarray, maps: np.ndarray) -> np.ndarray:
    """uint8 images through maps from output to input pixels (see `random_maps`)."""
    moved = keras.ops.image.affine_transform(
        images.astype("float32"),
        maps,
        interpolation="bilinear",
        fill_mode="nearest",
        data_format="channels_last",
    )
    return np.clip(np.rint(keras.ops.convert_to_numpy(moved)), 0, 255).astype("uint8")


def random_maps(
    count: int, size: tuple[int, ...], generator: np.random.Generator, mirror: bool
) -> np.ndarray:
    """Draw maps from output to input pixels, about the image's centre.

    Returns:
        float32 (count, 8): a0 a1 a2 b0 b1 b2 0 0 of Keras' affine_transform,
        which reads pixel (a0·x + a1·y + a2, b0·x + b1·y + b2) for (x, y).
    """
    height, width = size[:2]
    angle = np.deg2rad(generator.uniform(-ROTATION, ROTATION, count))
    shear = generator.uniform(-SHEAR, SHEAR, count)
    zoom_x, zoom_y = generator.uniform(1 - ZOOM, 1 + ZOOM, (2, count))
    shift_x, shift_y = generator.uniform(-SHIFT, SHIFT, (2, count)) * [[width], [height]]
    flip = np.where(generator.random(count) < 0.5, -1.0, 1.0) if mirror else np.ones(count)

    cos, sin = np.cos(angle), np.sin(angle)
    a0, a1 = cos * zoom_x * flip, (cos * shear - sin) * zoom_y
    b0, b1 = sin * zoom_x * flip, (sin * shear + cos) * zoom_y
    centre_x, centre_y = (width - 1) / 2, (height - 1) / 2
    a2 = centre_x - a0 * centre_x - a1 * centre_y + shift_x
    b2 = centre_y - b0 * centre_x - b1 * centre_y + shift_y
    zero = np.zeros(count)
    return np.stack([a0, a1, a2, b0, b1, b2, zero, zero], axis=1).astype("float32")
