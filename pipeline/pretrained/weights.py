"""The arrays on disk: data/weights/vgg16.npz beside weights.json, and from there into a model."""

from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import numpy as np

from pipeline.errors import PipelineError
from pipeline.pretrained.base import Arrays, layer_names
from pipeline.runtime import files

if TYPE_CHECKING:
    import keras

ARRAYS_FILE = "vgg16.npz"
RECORD_FILE = "weights.json"


class Record(TypedDict):
    """weights.json. `pretrained_weights` is imagenet, a file's last name, or
    None where the model starts from nothing (and then stands alone); `sha256`
    is over the arrays, see `pipeline.pretrained.base.digest`."""

    pretrained_weights: str | None
    source: str
    sha256: str
    licence: str


def save_arrays(path: Path, arrays: Arrays) -> None:
    """Write the arrays under their names; the same arrays give the same bytes."""
    with files.atomic(path) as partial, partial.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def load_into(model: "keras.Model", folder: Path) -> None:
    """Set the arrays in `folder` into the layers block1_conv1 … block5_conv3 of a model.

    The model is one of `pipeline.networks.build.build_model("vgg16", …)`, or a
    part of one (`chain`): layers that it has not are passed over.

    Raises:
        PipelineError: the stage `weights` left no arrays there.
    """
    path = folder / ARRAYS_FILE
    if not path.exists():
        raise PipelineError(f"{path}: not there; `dvc repro weights` writes it")
    wanted = set(layer_names())
    with np.load(path, allow_pickle=False) as arrays:
        for layer in model.layers:
            if layer.name in wanted:
                layer.set_weights([arrays[f"{layer.name}_kernel"], arrays[f"{layer.name}_bias"]])
