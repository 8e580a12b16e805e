"""The graph of a model's layers: where it can be divided, and what belongs to its base."""

import re
from typing import Any

import keras

from pipeline.networks.bases import Base
from pipeline.networks.registry import Network
from pipeline.networks.views import Views


def cuts(model: keras.Model) -> list[str]:
    """The layers at which the model can be divided, from the input to the output.

    All that the layers above such a layer read is its output; between two of them
    there may be branches.
    """
    by_depth = model._nodes_by_depth
    nodes = [node for depth in sorted(by_depth, reverse=True) for node in by_depth[depth]]
    readers: dict[int, int] = {}
    for node in nodes:
        for tensor in node.input_tensors:
            readers[id(tensor)] = readers.get(id(tensor), 0) + 1
    found: list[str] = []
    waited_for: set[int] = set()
    for node in nodes:
        for tensor in node.input_tensors:
            readers[id(tensor)] -= 1
            if not readers[id(tensor)]:
                waited_for.discard(id(tensor))
        waited_for |= {id(tensor) for tensor in node.outputs if readers.get(id(tensor))}
        if len(waited_for) <= 1:
            found.append(node.operation.name)
    return found


def outputs(model: keras.Model) -> dict[str, Any]:
    """The tensor that each layer gives in this model: a layer that other models share has
    another in each of them, and `layer.output` is that of the first."""
    return {
        node.operation.name: node.outputs[0]
        for nodes in model._nodes_by_depth.values()
        for node in nodes
    }


def base_layers(model: keras.Model, end: str) -> list[keras.layers.Layer]:
    """The layers of a model's pretrained base, in order.

    Args:
        end: the base's last layer (`pipeline.networks.registry.Base`).
    """
    layers = keras.Model(model.input, model.get_layer(end).output).layers
    return [layer for layer in layers if layer.name != "normalization" and not _is_input(layer)]


def cut_below(model: keras.Model, layer: str, base: list[str]) -> str | None:
    """The last cut before a layer, among the base's layers.

    None where the layer reads the pixels, or stands in the first block that has no cut.
    """
    names = [each.name for each in model.layers]
    before = set(names[: names.index(layer)])
    divided = [name for name in cuts(model) if name in before and name in base]
    return divided[-1] if divided else None


def blocks(model: keras.Model, base: Base) -> list[str]:
    """The layer at which each block of a model's base begins, from the first block to the last:
    the first one in the block that has weights."""
    layers = base_layers(model, base.end)
    divided = set(cuts(model))
    ends = [
        layer.name
        for layer in layers
        if layer.name in divided and re.fullmatch(base.block_ends, layer.name)
    ]
    found: list[str] = []
    between = True
    for layer in layers:
        if between and layer.weights:
            found.append(layer.name)
            between = False
        between = between or layer.name in ends[:-1]
    return found


def smallest(found: Network) -> keras.Model:
    """A network for the smallest images that it takes, of two classes."""
    from pipeline.networks.building import build

    size = found.smallest_image
    return build(found.name, (size, size, found.channels or 3), 2)


def _is_input(layer: Any) -> bool:
    return isinstance(layer, keras.layers.InputLayer | Views)
