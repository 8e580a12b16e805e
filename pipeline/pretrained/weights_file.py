"""Reading VGG16's arrays from a file of one's own: Keras' .h5, .weights.h5 and .keras, or .npz.

The kind is told from the first bytes, not from the name. Nothing is
unpickled and no model is built from the file: only its arrays are read.
"""

import io
import re
import zipfile
import zlib
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from pipeline.errors import PipelineError
from pipeline.pretrained.base import Arrays, checked, layer_names, shapes

KINDS = "Keras' .h5, .weights.h5 or .keras, or .npz"
# VGG16 whole, with its optimizer's two moments, is 1.7 GB; more is no VGG16.
MOST_BYTES = 4 << 30

_HDF5 = b"\x89HDF\r\n\x1a\n"
_ZIP = b"PK\x03\x04"
_KERAS_MEMBER = "model.weights.h5"
# Of a damaged file; KeyError, RuntimeError and ValueError are h5py's and numpy's.
_DAMAGED = (OSError, EOFError, KeyError, RuntimeError, ValueError, zipfile.BadZipFile, zlib.error)


def read_file(path: Path, where: str | None = None) -> Arrays:
    """The 26 arrays of VGG16's base in a file.

    Layers are found by their names, block1_conv1 … block5_conv3, so a whole
    model with another head does as well. In an .npz the arrays are named
    block1_conv1_kernel, block1_conv1_bias … or stand in that order under
    numpy's own arr_0 … arr_25. `where` begins an error's line, in place of the
    parameter and the file's name.

    Raises:
        PipelineError: not such a file, damaged, or of another network.
    """
    where = where or f"pretrained_weights: {path.name}"
    try:
        with path.open("rb") as file:
            head = file.read(len(_HDF5))
        if head == _HDF5:
            with h5py.File(path, "r") as weights:
                found = _from_hdf5(weights)
        elif head.startswith(_ZIP):
            found = _from_zip(path, where)
        else:
            raise PipelineError(f"{where}: not a file of weights; expected {KINDS}")
    except _DAMAGED as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise PipelineError(f"{where}: damaged or cut short ({reason}); fetch it again") from None
    return checked(found, where)


def _from_zip(path: Path, where: str) -> dict[str, Any]:
    with zipfile.ZipFile(path) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > MOST_BYTES:
            raise PipelineError(f"{where}: unpacks to more than {MOST_BYTES >> 30} GiB: no VGG16")
        if _KERAS_MEMBER in archive.namelist():
            with h5py.File(io.BytesIO(archive.read(_KERAS_MEMBER)), "r") as weights:
                return _from_hdf5(weights)
    with np.load(path, allow_pickle=False) as arrays:
        names = list(shapes())
        if names[0] in arrays.files:
            return {name: arrays[name] for name in names if name in arrays.files}
        return {name: arrays[f"arr_{i}"] for i, name in enumerate(names) if f"arr_{i}" in arrays}


def _from_hdf5(weights: h5py.File) -> dict[str, Any]:
    """Arrays by layer, of any of Keras' layouts.

    A layer's name is the attribute `name` of the group that holds its arrays
    (Keras 3), or the nearest group of that name above them (the legacy
    layouts, whether the base is the model or a layer of it).
    """
    known = set(layer_names())
    found: dict[str, Any] = {}

    def visit(path: str, item: h5py.Group | h5py.Dataset) -> None:
        if not isinstance(item, h5py.Dataset) or re.match(r"optimizer", path):
            return
        groups = [str(item.parent.attrs.get("name", "")), *reversed(path.split("/")[:-1])]
        layer = next((group for group in groups if group in known), None)
        if layer is None or item.ndim not in (1, 4):
            return
        name = f"{layer}_kernel" if item.ndim == 4 else f"{layer}_bias"
        if name in found:
            raise ValueError(f"two arrays for {name}")
        found[name] = item[()]

    weights.visititems(visit)
    return found
