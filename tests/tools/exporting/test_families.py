"""A base of each family of keras.applications, under a small head, in ONNX and LiteRT."""

import importlib.util

import keras
import numpy as np
import pytest

from pipeline.errors import PipelineError
from tools.exporting import formats

pytestmark = pytest.mark.slow

# The smallest of each family, and pixels a side that its arithmetic allows.
FAMILIES = {
    "ConvNeXtTiny": 64,
    "DenseNet121": 64,
    "EfficientNetB0": 64,
    "EfficientNetV2B0": 64,
    "InceptionResNetV2": 75,
    "InceptionV3": 75,
    "MobileNet": 64,
    "MobileNetV2": 64,
    "MobileNetV3Small": 64,
    "NASNetMobile": 64,
    "ResNet50": 64,
    "ResNet50V2": 64,
    "VGG19": 64,
    "Xception": 71,
}


def made(family: str) -> tuple[keras.Model, np.ndarray]:
    """A model on this base, and three images for it."""
    size = FAMILIES[family]
    keras.utils.set_random_seed(0)
    inputs = keras.Input((size, size, 3), dtype="uint8", name="pixels")
    scaled = keras.layers.Rescaling(1 / 127.5, -1, name="normalization")(inputs)
    base = getattr(keras.applications, family)(
        include_top=False, weights=None, input_shape=(size, size, 3)
    )
    pooled = keras.layers.GlobalAveragePooling2D(name="globalpool")(base(scaled))
    outputs = keras.layers.Dense(5, activation="softmax", name="output")(pooled)
    model = keras.Model(inputs, outputs, name=family)
    images = np.random.default_rng(0).integers(0, 256, (3, size, size, 3), dtype="uint8")
    return model, images


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_a_base_of_each_family(family, tmp_path):
    model, images = made(family)
    expected = model.predict_on_batch(images)
    names = ["onnx", "litert"] + ["openvino"] * bool(importlib.util.find_spec("openvino"))
    for name in names:
        one = formats.ALL[name]
        path = tmp_path / one.file
        one.writer.write(model, path)
        np.testing.assert_allclose(one.answer(path, 2)(images), expected, atol=1e-4)


class Unknown(keras.layers.Layer):
    """An operation that neither format has."""

    def call(self, inputs):
        return keras.ops.erfinv(inputs)


def test_an_operation_that_onnx_lacks_is_refused_with_its_layer(tmp_path):
    inputs = keras.Input((4, 4, 1), dtype="uint8", name="pixels")
    scaled = keras.layers.Rescaling(1 / 256, name="normalization")(inputs)
    pooled = keras.layers.GlobalAveragePooling2D(name="pool")(Unknown(name="strange")(scaled))
    model = keras.Model(inputs, keras.layers.Dense(2, activation="softmax", name="output")(pooled))
    with pytest.raises(PipelineError, match=r"^onnx: layer strange: this format has no operation"):
        formats.ALL["onnx"].writer.write(model, tmp_path / "model.onnx")
