"""What a reader gives, and what several readers share."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.errors import PipelineError

Pixels = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]
Paths = Mapping[str, Path]
# By their names; a reader takes out what it has read, for CIFAR's are 184 MB.
Contents = dict[str, bytes]


@dataclass(frozen=True)
class Arrays:
    """`images` uint8 (N, H, W, C), `labels` int64 (N,), `parts` the rows [start, stop) of the
    published parts, or None."""

    images: Pixels
    labels: Labels
    parts: dict[str, tuple[int, int]] | None = None


def check_labels(name: str, labels: npt.NDArray[np.integer], classes: int) -> None:
    wrong = np.flatnonzero(labels >= classes)
    if wrong.size:
        raise PipelineError(
            f"{name}: label {labels[wrong[0]]} of image {wrong[0]}, expected 0 to {classes - 1}"
        )


def train_and_test(parts: list[tuple[Pixels, Labels]]) -> Arrays:
    """A train and a test part, one after the other."""
    (train_images, train_labels), (test_images, test_labels) = parts
    if train_images.shape[1:] != test_images.shape[1:]:
        raise PipelineError(
            f"test images of {test_images.shape[1:]}, train images of {train_images.shape[1:]}"
        )
    total = len(train_labels) + len(test_labels)
    return Arrays(
        np.concatenate([train_images, test_images]),
        np.concatenate([train_labels, test_labels]),
        {"train": (0, len(train_labels)), "test": (len(train_labels), total)},
    )
