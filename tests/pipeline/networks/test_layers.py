"""The layers that Keras lacks, beside what they stand for."""

import keras
import numpy as np
import pytest

from pipeline import backend
from pipeline.networks import building
from pipeline.networks.layers import FusedBatchNormalization, QuickGelu

MAPS = np.random.default_rng(0).normal(3, 2, (6, 5, 4, 3)).astype("float32")


def trained_once(kind, dtype: str, **options):
    """What a layer gives in training, the gradient of a weighted sum of it, and what has moved."""
    layer = kind(dtype=dtype, momentum=0.6, **options)
    inputs = keras.ops.convert_to_tensor(MAPS)
    layer.build(MAPS.shape)
    for number, weight in enumerate(layer.trainable_variables, 1):
        weight.assign(np.linspace(-1, 1, 3) + number)
    slope = np.random.default_rng(1).normal(size=MAPS.shape).astype("float32")
    gradient = backend.gradient(
        lambda x: keras.ops.sum(slope * keras.ops.cast(layer(x, training=True), "float32")), inputs
    )
    moved = [keras.ops.convert_to_numpy(v) for v in layer.non_trainable_variables]
    outputs = keras.ops.convert_to_numpy(keras.ops.cast(layer(inputs, training=True), "float32"))
    return outputs, keras.ops.convert_to_numpy(gradient), moved


@pytest.mark.parametrize("options", [{}, {"scale": False}, {"center": False}])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("mixed_bfloat16", 4e-2)])
def test_the_fused_normalisation_is_keras_own(dtype, tolerance, options):
    assert building.layers.FusedBatchNormalization.operation is backend.batch_norm
    ours = trained_once(FusedBatchNormalization, dtype, **options)
    keras_own = trained_once(keras.layers.BatchNormalization, dtype, **options)
    for mine, theirs in zip(ours[:2], keras_own[:2], strict=True):
        np.testing.assert_allclose(mine, theirs, atol=tolerance, rtol=tolerance)
    for mine, theirs in zip(ours[2], keras_own[2], strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=5e-3)
    assert abs(ours[2][0]).min() > 0  # the moving mean has moved


def test_in_prediction_it_takes_the_moving_mean():
    layer = FusedBatchNormalization()
    layer.build(MAPS.shape)
    layer.moving_mean.assign([1, 2, 3])
    found = keras.ops.convert_to_numpy(layer(MAPS, training=False))
    np.testing.assert_allclose(found, (MAPS - [1, 2, 3]) / np.sqrt(1 + layer.epsilon), rtol=1e-5)
    layer.trainable = False  # as in a frozen base: in training, too
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(layer(MAPS, training=True)), found)


def test_quick_gelu_is_near_gelu():
    line = np.linspace(-6, 6, 200, dtype="float32")
    quick, exact = (
        keras.ops.convert_to_numpy(function(line))
        for function in (QuickGelu(), lambda x: keras.ops.gelu(x, approximate=False))
    )
    np.testing.assert_allclose(quick, line / (1 + np.exp(-1.702 * line)), atol=1e-6)
    assert 0.01 < abs(quick - exact).max() < 0.021
