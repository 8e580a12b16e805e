"""LiteRT (.tflite), with its built-in operations alone.

Keras' own export admits TensorFlow's operations beside them, which the small runtime does
not have: so the converter is called here.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import keras
import numpy as np

from tools.exporting import graph
from tools.exporting.quiet import quiet

# A batch at a time, as the converter wants them.
Samples = Callable[[], Iterator[list[np.ndarray]]]


def write(model: keras.Model, path: Path) -> None:
    """Write the model as a .tflite file that takes any number of images.

    Raises:
        UnconvertibleError: an operation that LiteRT lacks, with its layer.
    """
    path.write_bytes(_converted(model))


def write_int8(model: keras.Model, path: Path, images: np.ndarray) -> None:
    """The same with 8-bit weights and activations.

    Args:
        images: uint8 (n, height, width, channels), of the training part, to fit the ranges on.
    """

    def samples() -> Iterator[list[np.ndarray]]:
        for image in images:
            yield [image[None]]

    path.write_bytes(_converted(model, samples))


def _converted(model: keras.Model, samples: Samples | None = None) -> bytes:
    import tensorflow as tf

    function = graph.frozen(model)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], model)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if samples:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = samples
    try:
        with quiet():
            return bytes(converter.convert())
    except Exception as error:
        lacking = re.search(r"'tf\.(\w+)' op is neither a custom op nor a flex op", str(error))
        if not lacking:
            raise
        nodes = function.graph.as_graph_def().node
        path = next((node.name for node in nodes if node.op == lacking[1]), "")
        raise graph.refuse(model, "litert", lacking[1], path) from None
