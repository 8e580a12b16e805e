"""Images of a data set as small RGB pictures: their size, PNG bytes, heat laid over them."""

import io

import matplotlib
import numpy as np
from PIL import Image


def rgb(image: np.ndarray) -> np.ndarray:
    """(H, W, 1) or (H, W, 3) uint8 to (H, W, 3) uint8; other channels show their first."""
    return image if image.shape[2] == 3 else np.repeat(image[..., :1], 3, axis=2)


def shrunk(image: np.ndarray, longest: int) -> np.ndarray:
    """A (H, W, 3) uint8 picture, no larger than `longest` pixels; a small one stays as it is."""
    height, width = image.shape[:2]
    if max(height, width) <= longest:
        return image
    scale = longest / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.LANCZOS))


def fitted(image: np.ndarray, longest: int) -> np.ndarray:
    """A picture near `longest` pixels: shrunk, or each pixel repeated a whole number of times."""
    times = max(1, round(longest / max(image.shape[:2])))
    return shrunk(image, longest).repeat(times, axis=0).repeat(times, axis=1)


def png(image: np.ndarray) -> bytes:
    """(H, W, 3) uint8 as a PNG; one channel where all three are the same."""
    grey = bool((image == image[..., :1]).all())
    picture = Image.fromarray(np.ascontiguousarray(image[..., 0] if grey else image))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def overlay(image: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """A (H, W, 3) uint8 picture in grey under its (H, W) heat of 0…1: blue cold, red hot."""
    grey = image.mean(axis=2, keepdims=True).repeat(3, axis=2)
    colour = matplotlib.colormaps["turbo"](np.clip(heat, 0, 1))[..., :3] * 255
    return np.rint(0.35 * grey + 0.65 * colour).astype(np.uint8)


def heat_like(heat: np.ndarray, image: np.ndarray) -> np.ndarray:
    """(H, W) float32 heat brought to the size of a shrunken (h, w, 3) picture of its image."""
    if heat.shape == image.shape[:2]:
        return heat
    size = (image.shape[1], image.shape[0])
    return np.asarray(Image.fromarray(heat).resize(size, Image.Resampling.BILINEAR))
