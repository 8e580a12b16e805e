"""The network as a table: what each layer is, what comes out, how many parameters."""

from collections.abc import Sequence
from typing import Any


def layer_table(
    layers: Sequence[dict[str, Any]], fine_tune_from: str | None, end: str | None
) -> list[dict[str, Any]]:
    """The layers as the page shows them.

    Args:
        layers: as `pipeline.networks.table.layer_rows` read them off the trained model.
        fine_tune_from: the base's first layer that a second phase has trained; from there
            on, as far as the base goes, `trained` says 'second phase'.
        end: the base's last layer; None without a base.
    """
    rows, second_phase = [], False
    for layer in layers:
        second_phase = second_phase or layer["name"] == fine_tune_from
        late = second_phase and layer["trained"] == "yes"
        rows.append({**layer, "trained": "second phase"} if late else layer)
        second_phase = second_phase and layer["name"] != end
    return rows


def total(rows: Sequence[dict[str, Any]]) -> int:
    """The parameters of all layers."""
    return sum(row["parameters"] for row in rows)
