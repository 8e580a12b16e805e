"""One batch through the frozen base, in whatever process: Keras is imported when it is run."""

import json
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pipeline import backend
from pipeline.parameters.stages import FeaturesParameters
from pipeline.runtime.arrays import load_array

if TYPE_CHECKING:
    import keras

    from pipeline.pretrained.frozen import FrozenBase


@dataclass(frozen=True)
class Base:
    """Which base, by values that another process can be told.

    `dataset` is JSON of what `FrozenBase` wants to know of the images; `weights` is a folder.
    """

    parameters: FeaturesParameters
    dataset: str
    weights: Path

    @classmethod
    def of(cls, parameters: FeaturesParameters, dataset: dict[str, Any], weights: Path) -> "Base":
        """`dataset` is data/prepared/dataset.json."""
        known = {key: dataset[key] for key in ("image_shape", "normalization")}
        return cls(parameters, json.dumps(known), weights.absolute())


@dataclass(frozen=True)
class MapsTask:
    """The rows [start, stop) of `images`, which are one batch."""

    base: Base
    layers: tuple[str, ...]
    images: Path
    start: int
    stop: int

    def run(self) -> list[npt.NDArray[np.float32]]:
        """The maps of each layer, (n, …)."""
        pixels = load_array(self.images)[self.start : self.stop]
        maps = _model(self.base, self.layers).predict_on_batch(pixels)
        return [each.astype("float32") for each in (maps if isinstance(maps, list) else [maps])]


@cache
def load(base: Base) -> "FrozenBase":
    """The base, built once a process, with Keras as the parameters want it."""
    parameters = base.parameters
    if "keras" not in sys.modules:
        backend.choose(parameters.backend)
        backend.configure(
            0, parameters.threads or 1, bool(parameters.deterministic), str(parameters.dtype)
        )
    from pipeline.pretrained.frozen import FrozenBase

    dataset = json.loads(base.dataset)
    height, width, channels = dataset["image_shape"]
    shape = (height, width, channels)
    return FrozenBase(str(parameters.model), shape, dataset["normalization"], base.weights)


@cache
def _model(base: Base, layers: tuple[str, ...]) -> "keras.Model":
    return load(base).maps(layers)
