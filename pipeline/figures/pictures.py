"""Sheets of the data set's images: samples of each class, and the worst mistakes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.figures import names, sheets, tiles

SAMPLED_CLASSES = 100  # more would be a sheet that nobody reads
SAMPLE_SIZE = 64  # pixels, the longer side
MISTAKE_SIZE = 112


@dataclass(frozen=True)
class Mistake:
    """A wrong prediction as a picture.

    `image` is (H, W, 3) uint8, `heat` (H, W) of 0…1 or None; `label` and
    `prediction` are class indices; `position` counts in the test part; `name`
    is the file's, or empty.
    """

    image: np.ndarray
    heat: np.ndarray | None
    label: int
    prediction: int
    confidence: float
    position: int
    name: str


def samples_of_each(labels: np.ndarray, classes: int) -> list[list[int]]:
    """The positions of the first images of each class: eight, fewer where the classes are many.

    Args:
        labels: (n, classes) one-hot; a memory map will do, for it is read
            piece by piece, no further than needed.
        classes: how many.
    """
    wanted = 8 if classes <= 12 else 4 if classes <= 30 else 1
    found: list[list[int]] = [[] for _ in range(min(classes, SAMPLED_CLASSES))]
    step = max(1, 1_000_000 // classes)
    for start in range(0, len(labels), step):
        for position, label in enumerate(labels[start : start + step].argmax(axis=1), start):
            if label < len(found) and len(found[label]) < wanted:
                found[label].append(position)
        if all(len(positions) == wanted for positions in found):
            break
    return found


def samples_figure(samples: Sequence[Sequence[np.ndarray]], classes: Sequence[str]) -> bytes:
    """A PNG with each class's (H, W, 3) uint8 images beside its name, or above it if it has one.

    A class without images is left out.
    """
    rows = [
        (name, [tiles.fitted(picture, SAMPLE_SIZE) for picture in pictures])
        for name, pictures in zip(names.picture_names(classes, 14), samples, strict=False)
        if pictures
    ]
    if max(len(pictures) for _, pictures in rows) > 1:
        return sheets.labelled_rows(rows)
    return sheets.captioned([(pictures[0], name) for name, pictures in rows], 10, 1)


def mistakes_figure(mistakes: Sequence[Mistake], classes: Sequence[str]) -> bytes:
    """A PNG of wrong predictions, most confident first, with their heat beside them."""
    short = names.picture_names(classes, 12)
    captioned = []
    for mistake in mistakes:
        picture = tiles.fitted(mistake.image, MISTAKE_SIZE)
        if mistake.heat is not None:
            hot = tiles.overlay(mistake.image, mistake.heat)
            picture = np.concatenate([picture, tiles.fitted(hot, MISTAKE_SIZE)], axis=1)
        caption = f"{short[mistake.label]} → {short[mistake.prediction]}"
        captioned.append((picture, f"{caption}\n{mistake.confidence:.1%} sure"))
    return sheets.captioned(captioned, 4, 2, narrowest=200)
