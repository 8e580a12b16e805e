"""A trained model as a function of pixels: its exported ONNX file where that is the same, else
the Keras model. Neither Keras nor TensorFlow is imported for the first."""

import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pipeline.datasets.pool import processors
from pipeline.errors import PipelineError
from pipeline.runtime import paths
from tools.exporting import found as exports
from tools.exporting import runtimes
from tools.serving.model import Trained


@dataclass(frozen=True)
class Engine:
    """`answer` takes uint8 (n, *shape) and gives float32 (n, classes), two columns for two."""

    shape: tuple[int, int, int]
    answer: Callable[[np.ndarray], np.ndarray]


def engine(model: Trained) -> Engine:
    """The quickest engine that gives what the model gives.

    Raises:
        PipelineError: the model has another number of outputs than there are class names.
    """
    exported = exports.exported(model.file)
    if exported.said and model.file == paths.MODEL_FILE:  # of a run's model nobody asked for one
        print(f"predict: {exported.said}; `make export` writes it anew", file=sys.stderr)
    if exported.path and list(exported.classes) == list(model.classes):
        answer = runtimes.onnx(exported.path, processors())
        return Engine(exported.shape, lambda pixels: runtimes.in_steps(answer, pixels))
    return _keras(model)


def _keras(model: Trained) -> Engine:
    from pipeline import backend

    backend.configure(0, processors(), deterministic=True, dtype="float32")
    from pipeline.networks.predicting import both_columns, predict
    from pipeline.networks.saving import load_model
    from tools.serving import answers

    loaded = load_model(model.file)
    outputs = loaded.output_shape[-1]
    if outputs != (1 if len(model.classes) == 2 else len(model.classes)):
        raise PipelineError(
            f"{model.title}: {outputs} outputs for {len(model.classes)} class names; "
            "run `dvc repro`, which brings both in step"
        )
    return Engine(answers.input_shape(loaded), lambda pixels: both_columns(predict(loaded, pixels)))
