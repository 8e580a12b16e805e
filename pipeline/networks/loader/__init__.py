"""What loads a model that was logged to MLflow, from the code that goes along with it.

MLflow calls `_load_pyfunc` (mlflow.pyfunc) and `models.load_model`
(mlflow.tensorflow). This module must not import MLflow or anything that the
model's requirements do not name.
"""

from typing import Any

import numpy as np

from pipeline.networks.loader import models
from pipeline.networks.predicting import predict


class Predictor:
    """A model as mlflow.pyfunc wants it."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def predict(self, pixels: Any, params: dict[str, Any] | None = None) -> np.ndarray:
        """uint8 (n, height, width, channels) to float32 probabilities (n, classes);
        (n, 1), the probability of the second class, for two classes.

        The metadata of MLmodel say how a photograph is brought to that size (`resize`)."""
        images = np.asarray(pixels, dtype=np.uint8)
        return predict(self.model, images)


def _load_pyfunc(path: str) -> Predictor:
    return Predictor(models.load_model(path))
