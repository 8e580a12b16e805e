"""The network as a table: what each layer is, what comes out, how many parameters."""

from collections.abc import Sequence
from typing import Any

# Where a pretrained base ends and its head begins.
_HEADS = ("Flatten", "GlobalAveragePooling2D", "GlobalMaxPooling2D")


def layer_table(
    layers: Sequence[dict[str, Any]], fine_tune_from: str | None
) -> list[dict[str, Any]]:
    """The layers as the page shows them.

    Args:
        layers: as `pipeline.networks.table.layer_rows` read them off the trained model.
        fine_tune_from: the base's first layer that a second phase has trained; from there
            on, as far as the base goes, `trained` says 'second phase'.
    """
    rows, second_phase = [], False
    for layer in layers:
        starts = layer["name"] == fine_tune_from
        second_phase = (second_phase or starts) and layer["kind"] not in _HEADS
        late = second_phase and layer["trained"] == "yes"
        rows.append({**layer, "trained": "second phase"} if late else layer)
    return rows


def total(rows: Sequence[dict[str, Any]]) -> int:
    """The parameters of all layers."""
    return sum(row["parameters"] for row in rows)
