"""The frozen base as a model of its own: from raw pixels to maps."""

from collections.abc import Sequence
from functools import cached_property
from math import prod
from pathlib import Path

import keras

from pipeline.networks import graph, registry
from pipeline.networks.building import Normalization, build
from pipeline.pretrained.folding import foldable, folded
from pipeline.pretrained.weights import load_into

Shape = tuple[int, ...]

# Pixels a batch: 32 images of 150×150, 312 of 48×48. Measured on two cores
# with native bfloat16, images a CPU second: at 150×150 batches of 8 to 64 are
# within 4% of each other; at 48×48 batches of 128 and 312 are 12 to 18% faster
# than of 32. More only costs memory (0.2 GB a layer of block 1 as it is).
BATCH_PIXELS = 32 * 150 * 150


def batch_size(image_shape: Shape) -> int:
    """Images a batch, from the images' (height, width, channels) alone."""
    return max(1, BATCH_PIXELS // prod(image_shape[:2]))


class FrozenBase:
    """The base of a network with its weights.

    The layers are those of `pipeline.networks.build`, the normalisation first
    among them, so that base and head together are the model that is saved.

    Args:
        name: of the network.
        image_shape: (height, width, channels) of the raw uint8 pixels.
        weights: the folder that the stage `weights` has written.
    """

    def __init__(
        self,
        name: str,
        image_shape: tuple[int, int, int],
        normalization: Normalization,
        weights: Path,
    ) -> None:
        base = registry.find(name).base
        assert base is not None, f"{name} has no base"
        self.end = base.end
        self._weights = weights
        self._model = build(name, image_shape, 2, normalization=normalization)

    def output_shape(self, layer: str) -> Shape:
        """(height, width, channels) of a layer's maps."""
        return tuple(int(length) for length in self._model.get_layer(layer).output.shape[1:])

    def below(self, layer: str) -> str | None:
        """The cut whose maps everything from `layer` on can be computed of; None: the pixels."""
        base = [each.name for each in graph.base_layers(self._model, self.end)]
        return graph.cut_below(self._model, layer, base)

    def maps(self, layers: Sequence[str]) -> keras.Model:
        """From pixels to these layers' maps, in the precision that Keras is set to compute in.

        Batch normalisations are folded into the kernels before them. Keras predicts one
        layer's maps as an array, several as a list.
        """
        return folded(self._part(self._loaded, layers))

    def folds(self, layers: Sequence[str]) -> int:
        """How many batch normalisations `maps` folds into kernels."""
        return len(foldable(self._part(self._model, layers)))

    @staticmethod
    def _part(model: keras.Model, layers: Sequence[str]) -> keras.Model:
        return keras.Model(model.input, [model.get_layer(layer).output for layer in layers])

    @cached_property
    def _loaded(self) -> keras.Model:
        load_into(self._model, self._weights)
        return self._model
