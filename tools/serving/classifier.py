"""The model as MLflow serves it: encoded images in, classes out.

MLflow calls `_load_pyfunc` with the folder that was logged (model.keras,
classes.json, resize.json and, of a model that had a validation part, reference.npz), from
the copy of this package that goes along with it. Code without a pickle: the module is named
in MLmodel, the weights are Keras' own.

A request has a column `image` with the bytes of a JPEG, PNG or other image
file; in JSON they are in base64, which MLflow decodes for a column of its type
`binary`.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.datasets.decode import UnreadableError
from pipeline.datasets.resizing import Resize
from pipeline.evaluation.reference import Reference, beside
from pipeline.networks.loader import models
from tools.serving import answers, images
from tools.serving.engine import of_keras

MODEL_FILE = "model.keras"
CLASSES_FILE = "classes.json"
RESIZE_FILE = "resize.json"
COLUMN = "image"


class Classifier:
    """A model that takes image files; `classes` are in the order of its probabilities, and
    `resize` is how the images of its training got their size."""

    def __init__(
        self, model: Any, classes: list[str], resize: Resize, reference: Reference | None = None
    ) -> None:
        self.model = model
        self.engine = of_keras(model, reference)
        self.classes = classes
        self.resize = resize

    def predict(self, frame: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """One row an image: `class`, `probability`, `p_<class>` for each class, and, of a model
        with a reference, `unlike_training`.

        Raises:
            MlflowException: the request's fault (HTTP 400): no such column, no image.
        """
        found = [self._read(row, data) for row, data in enumerate(frame[COLUMN])]
        step = images.chunks(self.engine.shape)
        said = [
            answer
            for start in range(0, len(found), step)
            for answer in self.engine(np.stack(found[start : start + step]))
        ]
        empty = np.empty((0, len(self.classes)), "float32")
        table = np.stack([answer.row for answer in said]) if said else empty
        best = table.argmax(axis=1) if len(table) else np.empty(0, dtype="int64")
        answer: dict[str, Any] = {
            "class": [self.classes[i] for i in best],
            "probability": table[np.arange(len(table)), best],
        }
        answer |= {f"p_{name}": table[:, i] for i, name in enumerate(self.classes)}
        if self.engine.unlike:
            answer[answers.UNLIKE] = np.array([each.unlike for each in said], bool)
        return pd.DataFrame(answer)

    def _read(self, row: int, data: Any) -> np.ndarray:
        try:
            return images.pixels(bytes(data), self.engine.shape, self.resize)
        except UnreadableError as error:
            from mlflow.exceptions import MlflowException

            raise MlflowException.invalid_parameter_value(
                f"image {row}: {error}; send an image file in base64"
            ) from None


def _load_pyfunc(path: str) -> Classifier:
    classes, resize = (
        json.loads((Path(path) / name).read_text(encoding="utf-8"))
        for name in (CLASSES_FILE, RESIZE_FILE)
    )
    model = Path(path) / MODEL_FILE
    reference = Reference.load(beside(model))
    return Classifier(models.load_model(str(model)), classes, Resize.read(resize), reference)
