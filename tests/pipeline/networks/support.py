"""The pretrained bases as parameters of a test: the cheapest one in the quick suite."""

from typing import Any

import keras
import numpy as np
import pytest

from pipeline.networks import registry

IMAGENET = {"method": "imagenet", "mean": [], "variance": []}
BASES = [name for name, network in registry.networks().items() if network.base]


def marked(names: list[str], quick: tuple[str, ...] = ("mobilenet_v3_small",)) -> list[Any]:
    """The names, of which all bases but the quick ones are for the slow suite."""
    slow = set(BASES) - set(quick)
    return [pytest.param(each, marks=pytest.mark.slow if each in slow else ()) for each in names]


bases = pytest.mark.parametrize("name", marked(BASES))


def outputs_of(model: keras.Model, inputs: np.ndarray) -> Any:
    """What a model makes of some inputs, at once: compiling a large graph takes longer."""
    found = model(keras.ops.convert_to_tensor(inputs), training=False)
    found = found if isinstance(found, list) else [found]
    arrays = [keras.ops.convert_to_numpy(each) for each in found]
    return arrays if len(arrays) > 1 else arrays[0]


def randomised(model: keras.Model, seed: int = 0) -> keras.Model:
    """The model with numbers in its arrays that cannot be mistaken for each other, and that let
    what is in the pixels reach the output."""
    generator = np.random.default_rng(seed)
    for layer in model.layers:
        found = []
        for weight, array in zip(layer.weights, layer.get_weights(), strict=True):
            noise = generator.normal(size=array.shape).astype(array.dtype)
            if array.ndim > 1:
                depthwise = "epthwise" in f"{type(layer).__name__} {weight.name}"
                inputs = np.prod(array.shape[:2] if depthwise else array.shape[:-1])
                found.append(noise * np.float32(np.sqrt(2 / inputs)))
            else:
                found.append(np.abs(array + 0.05 * noise))
        layer.set_weights(found)
    return model
