"""An image file to what a model says of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.datasets.pool import processors
from pipeline.evaluation.reference import Reference, beside
from tools.serving import answers, engine, images
from tools.serving.model import load
from tools.serving.trained import Trained

SIDE = 384  # pixels of the pictures that are shown, about


@dataclass(frozen=True)
class Said:
    """The probability of each class, the picture as the model saw it, under its heat, and
    whether it is unlike the training images.

    `heated` is uint8 (H, W, 3).
    """

    probabilities: dict[str, float]
    heated: np.ndarray
    unlike: bool


class Model:
    """A trained model in this process; Grad-CAM needs Keras itself."""

    def __init__(self, trained: Trained) -> None:
        self.title = trained.title
        self.classes: Sequence[str] = trained.classes
        self._resize = trained.resize
        self._model: Any = load(trained, processors())
        self._engine = engine.of_keras(self._model, Reference.load(beside(trained.file)))

    def say(self, path: Path) -> Said:
        """What the model says of an image file.

        Raises:
            UnreadableError: no image, or one that is damaged or too large.
        """
        from pipeline.explain.cam import grad_cam
        from pipeline.figures import tiles

        pixels = images.read(path, self._engine.shape, self._resize)
        (answer,) = self._engine(pixels[None])
        (heat,) = grad_cam(self._model, pixels[None])
        picture = tiles.fitted(tiles.rgb(pixels), SIDE)
        numbers = map(answers.number, answer.row)
        return Said(
            dict(zip(self.classes, numbers, strict=True)),
            tiles.overlay(picture, tiles.heat_like(heat, picture)),
            bool(answer.unlike),
        )
