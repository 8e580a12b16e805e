"""A trained model with its reference: probabilities, and whether an image is like the training."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.evaluation import coverage
from pipeline.evaluation.reference import Reference
from pipeline.networks.predicting import both_columns, predict


@dataclass(frozen=True)
class Answer:
    """Of one image: float32 (classes,) probabilities, and whether it is unlike the training
    images; None where the model has no reference."""

    row: np.ndarray
    unlike: bool | None = None


class Asked:
    """Answers for many images at a time."""

    def __init__(self, model: Any, reference: Reference | None = None) -> None:
        self._model = model
        self._unlike = reference.unlike if reference else None
        if reference:
            from pipeline.networks.answering import answering, divided, outputs_of  # Keras
            from pipeline.networks.building import has_views, single_view

            self._divided, self._outputs = divided, outputs_of(model)
            self._views = has_views(model)
            seen = single_view(model) if self._views else model
            self._both = answering(seen, reference.layer)

    def answers(self, images: np.ndarray) -> list[Answer]:
        """uint8 (n, height, width, channels), n at least 1, to their answers."""
        if self._unlike is None:
            return [Answer(row) for row in both_columns(predict(self._model, images))]
        rows, features = self._divided(predict(self._both, images), self._outputs)
        if self._views:
            rows = both_columns(predict(self._model, images))
        far = self._unlike.distances(features) > self._unlike.threshold
        return [Answer(row, bool(unlike)) for row, unlike in zip(rows, far, strict=True)]


def set_size(row: np.ndarray, limit: float) -> int:
    """How many classes, the most probable first, make the set of one image."""
    return int(coverage.sets(row[np.newaxis], limit).sum())
