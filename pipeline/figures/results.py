"""What the report is made of: the values that the stages before left in their files."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.figures.classes import ClassScore
from pipeline.figures.curves import History
from pipeline.figures.first_batch import Seen
from pipeline.figures.pictures import Mistake

if TYPE_CHECKING:
    from pipeline.figures.trusted import Trusted


@dataclass(frozen=True)
class Predictions:
    """reports/predictions.csv, a row a test image: file names (or empty), true and predicted
    class, and the probability of the predicted one, (n,)."""

    names: list[str]
    labels: list[str]
    predictions: list[str]
    confidence: np.ndarray

    @cached_property
    def right(self) -> np.ndarray:
        """(n,) bool."""
        return np.array(self.labels, object) == np.array(self.predictions, object)


@dataclass(frozen=True)
class Explained:
    """The test image at `position`, (H, W, 3) uint8, and the layers' (h, w, c) maps of it."""

    position: int
    image: np.ndarray
    maps: dict[str, np.ndarray]


@dataclass(frozen=True)
class Results:
    """One run of the pipeline.

    `parameters` are resolved and hold no path of the machine; `dataset`,
    `metrics`, `audit` and `weights` are the JSON files of those names (audit
    is None for a set that ships as arrays, weights for a model without a
    base); `confusion` is (classes, classes), or None where that is too large
    to draw; `samples` are a few (H, W, 3) training images of each class, `first_batch`
    is what training saw of some, where it saw them altered; `layers` are the
    model's own (see `pipeline.networks.table`).
    """

    parameters: dict[str, Any]
    dataset: dict[str, Any]
    audit: dict[str, Any] | None
    weights: dict[str, Any] | None
    metrics: dict[str, Any]
    history: History
    scores: list[ClassScore]
    confusion: np.ndarray | None
    predictions: Predictions
    samples: Sequence[Sequence[np.ndarray]]
    first_batch: list[Seen]
    mistakes: list[Mistake]
    explained: Explained
    layers: list[dict[str, Any]]
    trusted: "Trusted"

    @property
    def classes(self) -> list[str]:
        """The class names, in the order of their indices."""
        return self.dataset["classes"]

    @property
    def hits(self) -> int:
        """How many test images were named rightly."""
        return int(self.predictions.right.sum())
