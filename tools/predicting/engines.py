"""A trained model as a function of pixels: its exported ONNX file where that is the same, else
the Keras model. Neither Keras nor TensorFlow is imported for the first."""

import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pipeline.datasets.pool import processors
from pipeline.errors import PipelineError
from pipeline.evaluation.reference import Reference
from pipeline.runtime import paths
from tools.exporting import found as exports
from tools.exporting import runtimes
from tools.serving.asked import Answer
from tools.serving.model import Trained


@dataclass(frozen=True)
class Engine:
    """`answer` takes uint8 (n, *shape) and gives an answer for each image."""

    shape: tuple[int, int, int]
    answer: Callable[[np.ndarray], list[Answer]]


def engine(model: Trained, reference: Reference | None = None) -> Engine:
    """The quickest engine that gives what the model gives.

    Raises:
        PipelineError: the model has another number of outputs than there are class names.
    """
    exported = exports.exported(model.file)
    if exported.said and model.file == paths.MODEL_FILE:  # of a run's model nobody asked for one
        print(f"predict: {exported.said}; `make export` writes it anew", file=sys.stderr)
    if exported.path and list(exported.classes) == list(model.classes):
        answer = runtimes.onnx(exported.path, processors())
        return Engine(
            exported.shape,
            lambda pixels: [Answer(row) for row in runtimes.in_steps(answer, pixels)],
        )
    return _keras(model, reference)


def _keras(model: Trained, reference: Reference | None) -> Engine:
    from pipeline import backend

    backend.configure(0, processors(), deterministic=True, dtype="float32")
    from pipeline.networks.saving import load_model
    from tools.serving import answers
    from tools.serving.asked import Asked

    loaded = load_model(model.file)
    outputs = loaded.output_shape[-1]
    if outputs != (1 if len(model.classes) == 2 else len(model.classes)):
        raise PipelineError(
            f"{model.title}: {outputs} outputs for {len(model.classes)} class names; "
            "run `dvc repro`, which brings both in step"
        )
    return Engine(answers.input_shape(loaded), Asked(loaded, reference).answers)
