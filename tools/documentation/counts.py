"""What only a built network says: its parameters, and what its base gives of an image.

To build all of them takes minutes, so what a page says already is taken from there; the slow
tests count again.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.networks.registry import Network

# The inputs of mnist_5k and of cifar10, with ten classes.
SMALL, COLOUR = (28, 28, 1), (32, 32, 3)


@dataclass(frozen=True)
class Counts:
    """The cells of a network's row that need Keras, in the order of its table."""

    cells: tuple[str, ...]


def said(page: str, columns: Mapping[str, int]) -> dict[str, Counts]:
    """What the rows of a page's made tables say: the network's name to its counts.

    Args:
        page: the text of docs/networks.md.
        columns: for each of the tables' second heads, how many cells follow the name.
    """
    found = {}
    wanted = 0
    for line in page.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[0] == "`model`":
            wanted = columns.get(cells[1], 0)
        elif wanted and (name := re.fullmatch(r"`(\w+)`", cells[0])):
            found[name[1]] = Counts(tuple(cells[1 : 1 + wanted]))
        elif not line.startswith("|"):
            wanted = 0
    return found


def count(network: Network) -> Counts:
    """Build the network and count: seconds for a large one."""
    from pipeline import backend

    backend.configure(0, 1, deterministic=True, dtype="float32")
    from pipeline.networks import build
    from pipeline.networks.graph import base_layers

    if network.base is None:
        shapes = (SMALL, COLOUR)
        return Counts(tuple(f"{build(network.name, s, 10).count_params():,}" for s in shapes))
    side = network.published.image_size
    model = build(network.name, (side, side, 3), 2)
    layers = base_layers(model, network.base.end)
    kept = [f"{length:,}" for length in model.get_layer(network.base.end).output.shape[1:]]
    return Counts((f"{sum(layer.count_params() for layer in layers):,}", "×".join(kept)))
