"""The arrays of a pretrained base: their names, shapes, order and digest."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import PipelineError

Shape = tuple[int, ...]
# Arrays under their names, {layer}_{weight}, in layer order, float32.
Arrays = dict[str, npt.NDArray[np.float32]]

_UNNAMED = r"^variable(_\d+)?$"


@dataclass(frozen=True)
class Layout:
    """What a network's base has.

    Attributes:
        network: its name.
        layers: the names of each layer's arrays, in order; layers without any are left out.
        shapes: of each array.
        automatic: of the layers whose names Keras gave by itself (conv2d_7) the two parts.
    """

    network: str
    layers: dict[str, list[str]]
    shapes: dict[str, Shape]
    automatic: dict[str, tuple[str, int]]


@cache
def layout(network: str) -> Layout:
    """The layout of a network's base, built once at its smallest size."""
    from pipeline.networks import graph, registry
    from pipeline.networks.transplanted import automatic_kind

    found = registry.find(network)
    assert found.base is not None
    model = graph.smallest(found)
    layers = [layer for layer in graph.base_layers(model, found.base.end) if layer.weights]
    kinds = {layer.name: automatic_kind(layer.name, type(layer).__name__) for layer in layers}
    return Layout(
        network,
        {layer.name: array_names(layer) for layer in layers},
        {
            name: tuple(int(length) for length in weight.shape)
            for layer in layers
            for name, weight in zip(array_names(layer), layer.weights, strict=True)
        },
        {name: kind for name, kind in kinds.items() if kind},
    )


def array_names(layer: Any) -> list[str]:
    """The names of a layer's arrays: block1_conv1_kernel, block1_conv1_bias."""
    # Keras numbers a weight that has no name of its own by how many it made before.
    return [f"{layer.name}_{re.sub(_UNNAMED, 'variable', each.name)}" for each in layer.weights]


def checked(found: Mapping[str, npt.NDArray[np.generic]], where: str, wanted: Layout) -> Arrays:
    """The base's arrays in layer order as float32.

    Raises:
        PipelineError: arrays missing, of another shape, of no floating type,
            or not finite. `where` begins the line and names the file.
    """
    no = f"{where}: not the weights of {wanted.network}'s base"
    missing = [name for name in wanted.shapes if name not in found]
    if missing:
        there = len(wanted.shapes) - len(missing)
        raise PipelineError(
            f"{no}: {missing[0]} is missing ({there} of its {len(wanted.shapes)} arrays are there)"
        )
    result: Arrays = {}
    for name, shape in wanted.shapes.items():
        array = found[name]
        if array.shape != shape:
            raise PipelineError(f"{no}: {name} is {_shown(array.shape)}, expected {_shown(shape)}")
        if not np.issubdtype(array.dtype, np.floating):
            raise PipelineError(f"{where}: {name} is {array.dtype}, expected float32")
        result[name] = np.ascontiguousarray(array, dtype=np.float32)
        if not np.isfinite(result[name]).all():
            raise PipelineError(f"{where}: {name} holds values that are not finite")
    return result


def digest(arrays: Arrays) -> str:
    """SHA-256 (hex) over the arrays' little-endian float32 bytes, in layer order (`checked`)."""
    total = hashlib.sha256()
    for array in arrays.values():
        total.update(np.ascontiguousarray(array, dtype="<f4").data)
    return total.hexdigest()


def _shown(shape: Shape) -> str:
    return "×".join(map(str, shape)) or "a single number"
