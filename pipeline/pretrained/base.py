"""The 26 arrays of VGG16's convolutional base: their names, shapes and digest."""

import hashlib
from functools import cache

import numpy as np
import numpy.typing as npt

from pipeline.errors import PipelineError

Shape = tuple[int, ...]
# Arrays under the names of `shapes`, in layer order, float32.
Arrays = dict[str, npt.NDArray[np.float32]]


@cache
def shapes() -> dict[str, Shape]:
    """The arrays' shapes in layer order: block1_conv1_kernel, block1_conv1_bias …

    A kernel is (height, width, channels in, channels out), a bias (channels out,).
    """
    from pipeline.networks import graph, registry
    from pipeline.networks.building import build

    found = registry.find("vgg16")
    assert found.base is not None
    size = found.smallest_image
    model = build(found.name, (size, size, found.channels or 3), 2)
    return {
        f"{layer.name}_{weight.name}": tuple(weight.shape)
        for layer in graph.base_layers(model, found.base.end)
        for weight in layer.weights
    }


def layer_names() -> list[str]:
    """The thirteen convolutions, block1_conv1 … block5_conv3."""
    return [name.removesuffix("_kernel") for name in shapes() if name.endswith("_kernel")]


def checked(found: dict[str, npt.NDArray[np.generic]], where: str) -> Arrays:
    """The arrays in layer order as float32.

    Raises:
        PipelineError: arrays missing, of another shape, of no floating type,
            or not finite. `where` begins the line and names the file.
    """
    expected = shapes()
    missing = [name for name in expected if name not in found]
    if missing:
        raise PipelineError(
            f"{where}: not the weights of VGG16's base: {missing[0]} is missing "
            f"({len(expected) - len(missing)} of its {len(expected)} arrays are there)"
        )
    result: Arrays = {}
    for name, shape in expected.items():
        array = found[name]
        if array.shape != shape:
            raise PipelineError(
                f"{where}: not the weights of VGG16's base: {name} is "
                f"{_shown(array.shape)}, expected {_shown(shape)}"
            )
        if not np.issubdtype(array.dtype, np.floating):
            raise PipelineError(f"{where}: {name} is {array.dtype}, expected float32")
        result[name] = np.ascontiguousarray(array, dtype=np.float32)
        if not np.isfinite(result[name]).all():
            raise PipelineError(f"{where}: {name} holds values that are not finite")
    return result


def digest(arrays: Arrays) -> str:
    """SHA-256 (hex) over the arrays' little-endian float32 bytes, in layer order."""
    total = hashlib.sha256()
    for name in shapes():
        total.update(np.ascontiguousarray(arrays[name], dtype="<f4").data)
    return total.hexdigest()


def _shown(shape: Shape) -> str:
    return "×".join(map(str, shape)) or "a single number"
