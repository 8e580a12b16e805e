"""A trained model as a function of pixels, computed by ONNX Runtime or by Keras.

The one of `tools.predict`, the server's workers, the demo and MLflow's model. Neither Keras nor
TensorFlow is imported for ONNX Runtime.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.evaluation.reference import Reference
from pipeline.evaluation.unlike import Unlike
from pipeline.networks.predicting import EVALUATION_BATCH, both_columns
from tools.serving import answers

# An ONNX file's outputs. The second is there where the model has a reference.
PROBABILITIES = "probabilities"
FEATURES = "features"


@dataclass(frozen=True)
class Answer:
    """Of one image: float32 (classes,) probabilities, and whether it is unlike the training
    images; None where the model has no reference."""

    row: np.ndarray
    unlike: bool | None = None


@dataclass(frozen=True)
class Engine:
    """`step` takes some uint8 images, (n, *shape), and gives their outputs: float32
    probabilities and, with `unlike`, features."""

    shape: tuple[int, int, int]
    step: Callable[[np.ndarray], list[np.ndarray]]
    unlike: Unlike | None = None

    def __call__(self, pixels: np.ndarray) -> list[Answer]:
        """An answer for each of at least one image, uint8 (n, *shape)."""
        rows, *features = self.outputs(pixels)
        if self.unlike is None:
            return [Answer(row) for row in rows]
        far = self.unlike.distances(features[0]) > self.unlike.threshold
        return [Answer(row, bool(one)) for row, one in zip(rows, far, strict=True)]

    def outputs(self, pixels: np.ndarray) -> list[np.ndarray]:
        """Probabilities, float32 (n, classes), and with `unlike` features (n, d)."""
        starts = range(0, len(pixels), EVALUATION_BATCH)
        steps = [self.step(np.asarray(pixels[i : i + EVALUATION_BATCH])) for i in starts]
        rows, *features = (np.concatenate(parts) for parts in zip(*steps, strict=True))
        return [both_columns(rows), *features]


def of_onnx(path: Path, threads: int, reference: Reference | None = None) -> Engine:
    """ONNX Runtime on the processor.

    A thread that waits for work sleeps: other workers use the same processors.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Memory that grew for a large batch is given back, not kept for the next one.
    options.enable_cpu_mem_arena = False
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    (taken,) = session.get_inputs()
    names = [PROBABILITIES, FEATURES] if reference else [PROBABILITIES]
    _, height, width, channels = taken.shape
    return Engine(
        (height, width, channels),
        lambda pixels: session.run(names, {taken.name: pixels}),
        reference.unlike if reference else None,
    )


def of_keras(model: Any, reference: Reference | None = None) -> Engine:
    """A loaded Keras model (`tools.serving.model.load`)."""
    import keras

    asked = model
    if reference:
        asked = keras.Model(model.input, [model.output, features_of(model, reference.layer)])

    def step(pixels: np.ndarray) -> list[np.ndarray]:
        found = asked.predict_on_batch(pixels)
        return [np.asarray(one, "float32") for one in (found if reference else [found])]

    return Engine(answers.input_shape(model), step, reference.unlike if reference else None)


def features_of(model: Any, layer: str) -> Any:
    """A layer's features in the graph of a loaded model, float32 (n, d): those that
    `pipeline.networks.answering` gives, of the picture as it is and not of its views."""
    import keras

    from pipeline.networks.views import Views

    features = model.get_layer(layer).output
    if len(features.shape) == 4:
        features = keras.layers.GlobalAveragePooling2D(dtype="float32", name="averaged")(features)
    for views in (one for one in model.layers if isinstance(one, Views)):
        return keras.Model(views.output, features, name="seen")(model.input)
    return features
