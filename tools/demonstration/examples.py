"""Images of the workspace's test part, as files that can be picked on the page."""

from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.runtime import files, paths
from pipeline.runtime.arrays import load_array

MOST = 12


def write(folder: Path) -> list[tuple[str, str]]:
    """Write some test images, of as many classes as there are, as PNG.

    Returns:
        each file's path and its class; nothing where no data are prepared.
    """
    described = paths.PREPARED / "dataset.json"
    pictures, labels = (paths.PREPARED / f"test_{what}.npy" for what in ("images", "labels"))
    if not (described.is_file() and pictures.is_file() and labels.is_file()):
        return []
    classes = files.read_json(described)["classes"]
    images, numbers = load_array(pictures), load_array(labels).argmax(axis=1)
    found = []
    for place in _spread(numbers):
        pixels = np.asarray(images[place])
        path = folder / f"test-{place}.png"
        Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(path)
        found.append((str(path), classes[numbers[place]]))
    return found


def _spread(numbers: np.ndarray) -> list[int]:
    """Places of the first image of each class, then of the second ones; at most `MOST`."""
    order = np.argsort(numbers, kind="stable")
    starts = np.searchsorted(numbers[order], numbers[order])
    rank = np.arange(len(order)) - starts  # of an image among those of its class
    return [int(order[i]) for i in np.lexsort((numbers[order], rank))[:MOST]]
