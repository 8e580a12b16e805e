"""The frozen base as a model of its own: from raw pixels to maps."""

from collections.abc import Sequence
from math import prod
from pathlib import Path

import keras

from pipeline.networks.architecture import Shape
from pipeline.networks.build import Normalization, build_model
from pipeline.networks.presets import PRESETS
from pipeline.networks.tracing import trace
from pipeline.pretrained.weights import load_into

# Pixels a batch: 32 images of 150×150, 312 of 48×48. Measured on two cores
# with native bfloat16, images a CPU second: at 150×150 batches of 8 to 64 are
# within 4% of each other; at 48×48 batches of 128 and 312 are 12 to 18% faster
# than of 32. More only costs memory (0.2 GB a layer of block 1 as it is).
BATCH_PIXELS = 32 * 150 * 150


def batch_size(image_shape: Shape) -> int:
    """Images a batch, from the images' (height, width, channels) alone."""
    return max(1, BATCH_PIXELS // prod(image_shape[:2]))


def output_shape(name: str, layer: str, image_shape: Shape) -> Shape:
    """(height, width, channels) of a layer's maps."""
    traced = trace(PRESETS[name].base, image_shape)
    return next(each.output for each in traced if each.layer.name == layer)


def last_layer(name: str) -> str:
    """The base's last layer, whose maps the head reads."""
    return str(PRESETS[name].base[-1].name)


def layer_below(name: str, layer: str) -> str | None:
    """The layer whose maps `layer` reads; None for the first, which reads the pixels."""
    names = [str(each.name) for each in PRESETS[name].base]
    position = names.index(layer)
    return names[position - 1] if position else None


def frozen_base(
    name: str,
    image_shape: tuple[int, int, int],
    normalization: Normalization,
    weights: Path,
    outputs: Sequence[str],
) -> keras.Model:
    """The base with its weights, from raw uint8 (n, height, width, channels) pixels to maps.

    The layers are those of `build_model`, the normalisation first among them,
    so that base and head together are the model that is saved. `outputs` names
    the layers whose maps come out (Keras predicts one as an array, several as
    a list), in the precision that Keras is set to compute in.
    """
    model = build_model(name, image_shape, 2, normalization=normalization)
    load_into(model, weights)
    maps = [model.get_layer(layer).output for layer in outputs]
    return keras.Model(model.inputs, maps)
