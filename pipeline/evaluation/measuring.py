"""The reference of a trained model: what it says of the validation images, and sees in training."""

from pathlib import Path
from typing import Any

import keras
import numpy as np

from pipeline.evaluation import calibration, coverage, unlike
from pipeline.evaluation.reference import Reference, beside
from pipeline.networks.answering import answering, divided, features_layer, outputs_of
from pipeline.networks.building import has_views, single_view
from pipeline.networks.predicting import both_columns, predict
from pipeline.networks.temperature import with_temperature
from pipeline.runtime import paths
from pipeline.runtime.arrays import load_array


def measured(model: keras.Model, kept: tuple[str, str] | None, calibrated: bool) -> keras.Model:
    """Write what goes beside the model, and return the model that is saved; see `measure`."""
    reference = measure(model, kept, calibrated)
    if reference is None:
        return model
    reference.save(beside(paths.MODEL_FILE))
    return with_temperature(model, reference.temperature) if calibrated else model


def measure(model: keras.Model, kept: tuple[str, str] | None, calibrated: bool) -> Reference | None:
    """What goes beside a trained model, which has no temperature yet.

    Args:
        kept: the kind of maps (maps, below) that the stage `features` has kept and that this
            model's answers can be computed of, and the layer that they come from.
        calibrated: whether the temperature becomes the model's last layer.

    Returns:
        None without a validation part.
    """
    labels = {
        part: load_array(paths.PREPARED / f"{part}_labels.npy") for part in ("train", "validation")
    }
    if not len(labels["validation"]):
        return None
    kind, start = kept if kept and not has_views(model) else (None, None)
    seen_once = single_view(model)
    layer, outputs = features_layer(seen_once, start), outputs_of(model)
    asked = answering(seen_once, layer, start)
    probabilities, features = divided(predict(asked, _inputs("validation", kind)), outputs)
    if has_views(model):  # the mean of the views is another answer than that of one
        probabilities = both_columns(predict(model, _inputs("validation", None)))
    true = labels["validation"].argmax(axis=1)
    temperature = calibration.fit_temperature(probabilities, true)
    if calibrated:
        probabilities = calibration.at_temperature(probabilities, temperature)
    rows = unlike.sample(*labels["train"].shape)
    _, seen = divided(predict(asked, _inputs("train", kind)[rows]), outputs)
    return Reference(
        temperature=temperature,
        applied=calibrated,
        scores=coverage.nonconformity(probabilities, true),
        layer=layer,
        unlike=unlike.fit(seen, features),
    )


def _inputs(part: str, kind: str | None) -> Any:
    folder: Path = paths.FEATURES if kind else paths.PREPARED
    found: np.ndarray = load_array(folder / f"{part}_{kind or 'images'}.npy")
    return found
