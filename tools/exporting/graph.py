"""The model that is exported: float32, raw pixels in, a probability for each class out."""

import re
from pathlib import Path
from typing import Any

import keras

from pipeline.networks import saving
from tools.exporting.refusals import UnconvertibleError
from tools.serving.engine import FEATURES, PROBABILITIES, features_of

INPUT = "pixels"


@keras.saving.register_keras_serializable(package="tools")
class BothColumns(keras.layers.Layer):
    """(n, 1), the probability of the second class, to (n, 2)."""

    def call(self, inputs: Any) -> Any:
        return keras.ops.concatenate([1 - inputs, inputs], axis=1)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (input_shape[0], 2)


def rebuilt(file: Path) -> keras.Model:
    """The saved model in float32, whatever precision it was trained in.

    Returns:
        uint8 (n, height, width, channels) to float32 (n, classes); two classes have a
        column each, unlike in the saved model, so that the largest column is the class always.
    """
    model = saving.load_model(file)
    config = keras.saving.serialize_keras_object(model)
    exact = keras.saving.deserialize_keras_object(_float32(config), safe_mode=True)
    exact.set_weights(model.get_weights())
    if exact.output_shape[-1] == 1:
        exact = keras.Model(exact.input, BothColumns(name="both")(exact.output), name=exact.name)
    return exact


def with_features(model: keras.Model, layer: str | None) -> keras.Model:
    """A rebuilt model that gives a layer's features, too; None for no layer's."""
    if layer is None:
        return model
    both = {PROBABILITIES: model.output, FEATURES: features_of(model, layer)}
    return keras.Model(model.input, both, name=model.name)


def output_names(model: keras.Model) -> list[str]:
    """The names of what `frozen` gives, in TensorFlow's order."""
    return sorted(model.output) if isinstance(model.output, dict) else [PROBABILITIES]


def frozen(model: keras.Model) -> Any:
    """The model as TensorFlow's function of any number of images, its weights constants."""
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2,
    )

    signature = tf.TensorSpec((None, *model.input_shape[1:]), model.input.dtype, name=INPUT)

    @tf.function(input_signature=[signature])
    def answer(pixels: Any) -> dict[str, Any]:
        # Keras compiles a grouped convolution by XLA, as a function that no converter
        # follows; run eagerly while this one is traced, its operations stand here.
        tf.config.run_functions_eagerly(True)
        try:
            found = model(pixels, training=False)
        finally:
            tf.config.run_functions_eagerly(False)
        return found if isinstance(found, dict) else {PROBABILITIES: found}

    return convert_variables_to_constants_v2(
        answer.get_concrete_function(), lower_control_flow=False, aggressive_inlining=True
    )


def layer_of(path: str, layers: set[str]) -> str | None:
    """The layer in a path of TensorFlow's: fast_cnn_1/conv_1_1/convolution__7 is of conv_1."""
    for part in path.split("/"):
        for name in (part, re.sub(r"_\d+$", "", part)):
            if name in layers:
                return name
    return None


def refuse(model: keras.Model, form: str, operation: str, path: str) -> UnconvertibleError:
    """The error for an operation, at this path of the graph, that a format lacks."""
    layer = layer_of(path, {layer.name for layer in model.layers}) or "unknown"
    return UnconvertibleError(
        f"{form}: layer {layer}: this format has no operation {operation}; "
        "leave this format out, or train without this layer"
    )


def _float32(value: Any) -> Any:
    """A model's configuration with the dtype policy float32 in place of any other of floats."""
    if isinstance(value, dict):
        if value.get("class_name") == "DTypePolicy":
            name = value["config"]["name"]
            if "float" in name:
                return {**value, "config": {**value["config"], "name": "float32"}}
            return value
        return {key: _float32(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_float32(item) for item in value)
    if isinstance(value, str) and re.fullmatch(r"mixed_b?float16|b?float16", value):
        return "float32"
    return value
