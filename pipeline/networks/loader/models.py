"""Loading a .keras file with the pipeline's own layers, in Keras' safe mode."""

from typing import Any

import keras

from pipeline.networks import layers as layers  # registers the classes that a model may hold
from pipeline.networks import temperature as temperature
from pipeline.networks import views as views


def load_model(path: str, custom_objects: dict[str, Any] | None = None) -> keras.Model:
    """A keras.Model for prediction; `custom_objects` is what MLflow passes, always empty."""
    return keras.saving.load_model(path, compile=False, safe_mode=True)
