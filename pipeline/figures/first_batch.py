"""What training saw first: the images of data/first_batch.npz with their labels."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.figures import names, sheets, tiles

SIZE = 112  # pixels, the longer side
LEAST = 0.005  # a smaller share of a label would be 0%


@dataclass(frozen=True)
class Seen:
    """An augmented (H, W, 3) uint8 image, and the share that each class has of its label."""

    image: np.ndarray
    shares: dict[int, float]

    def label(self, classes: Sequence[str], between: str = ", ") -> str:
        """The class, or the mixed ones with their shares, the largest first."""
        if len(self.shares) == 1:
            return classes[next(iter(self.shares))]
        return between.join(f"{classes[k]} {share:.0%}" for k, share in self.shares.items())


def seen_first(images: np.ndarray, labels: np.ndarray) -> list[Seen]:
    """The arrays of data/first_batch.npz (see `pipeline.training.first_batch`) as pictures."""
    seen = []
    for image, label in zip(images, labels, strict=True):
        mixed = [int(k) for k in np.argsort(-label, kind="stable") if label[k] >= LEAST]
        picture = tiles.shrunk(tiles.rgb(image), SIZE)
        seen.append(Seen(picture, {k: float(label[k]) for k in mixed}))
    return seen


def first_batch_figure(seen: Sequence[Seen], classes: Sequence[str]) -> bytes:
    """A PNG of the images with their labels below."""
    short = names.picture_names(classes, 12)
    captioned = [(tiles.fitted(one.image, SIZE), one.label(short, "\n")) for one in seen]
    return sheets.captioned(captioned, 8, max(len(one.shares) for one in seen))
