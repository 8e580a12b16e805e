"""The arrays on disk: data/weights/weights.npz beside weights.json, and from there into a model."""

from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import numpy as np

from pipeline.errors import PipelineError
from pipeline.pretrained.arrays import array_names

if TYPE_CHECKING:
    import keras

ARRAYS_FILE = "weights.npz"
RECORD_FILE = "weights.json"


class Record(TypedDict):
    """weights.json. `pretrained_weights` is imagenet, a file's last name, or
    None where the model starts from nothing (and then stands alone); `sha256`
    is over the arrays, see `pipeline.pretrained.arrays.digest`."""

    pretrained_weights: str | None
    source: str
    sha256: str
    licence: str


def load_into(model: "keras.Model", folder: Path) -> None:
    """Set the arrays in `folder` into the layers of a model that they are named after.

    The model is a network with that base, or a part of one: layers that it has not are
    passed over.

    Raises:
        PipelineError: the stage `weights` left no arrays there.
    """
    path = folder / ARRAYS_FILE
    if not path.exists():
        raise PipelineError(f"{path}: not there; run `dvc repro weights`, which makes it")
    with np.load(path, allow_pickle=False) as arrays:
        known = set(arrays.files)
        for layer in model.layers:
            names = array_names(layer)
            if names and known.issuperset(names):
                layer.set_weights([arrays[name] for name in names])
