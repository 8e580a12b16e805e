"""Reading a base's arrays from a file of one's own: Keras' .h5, .weights.h5 and .keras, or .npz.

The kind is told from the first bytes, not from the name. Nothing is
unpickled and no model is built from the file: only its arrays are read.
"""

import io
import zipfile
import zlib
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from pipeline.errors import PipelineError
from pipeline.pretrained.arrays import Arrays, Layout, checked
from pipeline.pretrained.hdf5 import layers_of

KINDS = "Keras' .h5, .weights.h5 or .keras, or .npz"
# Inception-ResNet V2 whole, with its optimizer's two moments, is 0.7 GB, VGG16 1.7.
MOST_BYTES = 4 << 30

_HDF5 = b"\x89HDF\r\n\x1a\n"
_ZIP = b"PK\x03\x04"
_KERAS_MEMBER = "model.weights.h5"
# Of a damaged file; KeyError, RuntimeError and ValueError are h5py's and numpy's.
_DAMAGED = (OSError, EOFError, KeyError, RuntimeError, ValueError, zipfile.BadZipFile, zlib.error)


def read_file(path: Path, wanted: Layout, where: str | None = None) -> Arrays:
    """The arrays of a base in a file.

    In Keras' files layers are found by their names, so a whole model with another head does
    as well (`pipeline.pretrained.hdf5.layers_of`). In an .npz the arrays are named
    {layer}_{weight}, block1_conv1_kernel say, or stand in that order under numpy's own arr_0,
    arr_1 … `where` begins an error's line, in place of the parameter and the file's name.

    Raises:
        PipelineError: not such a file, damaged, of another network, or one that holds
            something that is no array.
    """
    where = where or f"pretrained_weights: {path.name}"
    try:
        with path.open("rb") as file:
            head = file.read(len(_HDF5))
        if head == _HDF5:
            with h5py.File(path, "r") as weights:
                found = _from_hdf5(weights, wanted, where)
        elif head.startswith(_ZIP):
            found = _from_zip(path, wanted, where)
        else:
            raise PipelineError(f"{where}: not a file of weights; expected {KINDS}")
    except _DAMAGED as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise PipelineError(f"{where}: damaged or cut short ({reason}); fetch it again") from None
    return checked(found, where, wanted)


def _from_hdf5(weights: h5py.File, wanted: Layout, where: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for layer, arrays in layers_of(weights, wanted).items():
        names = wanted.layers[layer]
        if len(arrays) > len(names):
            raise PipelineError(
                f"{where}: not the weights of {wanted.network}'s base: {layer} has {len(arrays)} "
                f"arrays, expected {len(names)}"
            )
        found |= {name: array[()] for name, array in zip(names, arrays, strict=False)}
    return found


def _from_zip(path: Path, wanted: Layout, where: str) -> dict[str, Any]:
    with zipfile.ZipFile(path) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > MOST_BYTES:
            raise PipelineError(f"{where}: unpacks to more than {MOST_BYTES >> 30} GiB: no base")
        members = archive.namelist()
        if _KERAS_MEMBER in members:
            with h5py.File(io.BytesIO(archive.read(_KERAS_MEMBER)), "r") as weights:
                return _from_hdf5(weights, wanted, where)
    other = next((name for name in members if not name.endswith(".npy")), None)
    if other:
        raise PipelineError(f"{where}: holds {other}, which is no array; expected {KINDS}")
    with np.load(path, allow_pickle=False) as arrays:
        in_order = {f"arr_{place}": name for place, name in enumerate(wanted.shapes)}
        names = {} if next(iter(wanted.shapes)) in arrays.files else in_order
        return {
            name: _array(arrays, member, where)
            for member in arrays.files
            if (name := names.get(member, member)) in wanted.shapes
        }


def _array(arrays: Any, member: str, where: str) -> Any:
    try:
        return arrays[member]
    except ValueError as error:
        if "pickle" not in str(error):
            raise
        raise PipelineError(
            f"{where}: {member} holds Python objects, which are not loaded; expected numbers"
        ) from None
