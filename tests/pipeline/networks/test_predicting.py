"""Prediction in batches: as Keras' own, whatever the number of inputs."""

import keras
import numpy as np
import pytest

from pipeline.networks.predicting import predict


@pytest.mark.parametrize("count", [1, 7, 8, 17])
def test_the_same_as_keras_own(count):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(3, "softmax")])
    inputs = np.random.default_rng(0).random((count, 5), dtype="float32")
    found = predict(model, inputs, 8)
    assert (found.dtype, found.shape) == (np.float32, (count, 3))
    np.testing.assert_allclose(found, model.predict(inputs, verbose=0), rtol=1e-6)


def test_a_model_in_bfloat16_answers_in_float32():
    inputs = keras.Input((5,))
    model = keras.Model(inputs, keras.layers.Dense(2, dtype="bfloat16")(inputs))
    assert predict(model, np.zeros((3, 5), "float32")).dtype == np.float32
