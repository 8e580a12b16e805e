"""An image file to what a model says of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.datasets.pool import processors
from pipeline.errors import PipelineError
from tools.serving import answers, images
from tools.serving.trained import Trained

SIDE = 384  # pixels of the pictures that are shown, about


@dataclass(frozen=True)
class Said:
    """The probability of each class, and the picture as the model saw it, under its heat.

    `heated` is uint8 (H, W, 3).
    """

    probabilities: dict[str, float]
    heated: np.ndarray


class Model:
    """A trained model in this process; Grad-CAM needs Keras itself."""

    def __init__(self, trained: Trained) -> None:
        from pipeline import backend

        backend.configure(0, processors(), deterministic=True, dtype="float32")
        from pipeline.networks.saving import load_model

        self.title = trained.title
        self.classes: Sequence[str] = trained.classes
        self._resize = trained.resize
        self._model: Any = load_model(trained.file)
        outputs = self._model.output_shape[-1]
        if outputs != (1 if len(trained.classes) == 2 else len(trained.classes)):
            raise PipelineError(
                f"{trained.title}: {outputs} outputs for {len(trained.classes)} class names"
            )

    def say(self, path: Path) -> Said:
        """What the model says of an image file.

        Raises:
            UnreadableError: no image, or one that is damaged or too large.
        """
        from pipeline.explain.cam import grad_cam
        from pipeline.figures import tiles
        from pipeline.networks.predicting import both_columns, predict

        pixels = images.read(path, answers.input_shape(self._model), self._resize)
        (row,) = both_columns(predict(self._model, pixels[None]))
        (heat,) = grad_cam(self._model, pixels[None])
        picture = tiles.fitted(tiles.rgb(pixels), SIDE)
        return Said(
            {name: answers.number(value) for name, value in zip(self.classes, row, strict=True)},
            tiles.overlay(picture, tiles.heat_like(heat, picture)),
        )
