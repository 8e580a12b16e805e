"""TensorFlow's SavedModel, by Keras' own export. Its bytes differ from time to time."""

from pathlib import Path

import keras

from tools.exporting import graph


def write(model: keras.Model, path: Path) -> None:
    """Write the model as a folder; its signature `serve` takes any number of images."""
    import tensorflow as tf

    signature = tf.TensorSpec((None, *model.input_shape[1:]), tf.uint8, name=graph.INPUT)
    model.export(path, format="tf_saved_model", verbose=False, input_signature=[signature])
