"""Which layer `fine_tune_from` means. Imports Keras, and builds the network once."""

import difflib

from pipeline.errors import PipelineError
from pipeline.networks import graph
from pipeline.networks.registry import Network


def first_layer(given: str | int, network: Network) -> str:
    """The first layer that fine-tuning trains.

    Args:
        given: its name, or a number of blocks from the top: -1 is the last block.

    Raises:
        PipelineError: no such layer or block; the line names where the blocks begin.
    """
    assert network.base is not None
    model = graph.smallest(network)
    blocks = graph.blocks(model, network.base)
    if isinstance(given, int):
        if not -len(blocks) <= given <= -1:
            raise PipelineError(
                f"fine_tune_from: {given}: {network.name} has {len(blocks)} blocks; expected a "
                f"number from -1, the last of them, to -{len(blocks)}, or a layer's name"
            )
        return blocks[given]
    layers = [layer.name for layer in graph.base_layers(model, network.base.end)]
    if given not in layers:
        near = difflib.get_close_matches(given, layers, n=1)
        meant = f"; did you mean {near[0]}?" if near else ""
        raise PipelineError(
            f"fine_tune_from: {given}: unknown layer{meant}; the {len(blocks)} blocks of "
            f"{network.name} begin at {', '.join(blocks)}"
        )
    return given
