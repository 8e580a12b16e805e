"""reports/history.csv, a row an epoch, and which of them counts."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.runtime import files


def write_history(path: Path, history: list[dict[str, Any]]) -> None:
    """Write a row an epoch; the column `phase` only where there is more than one."""
    names = list(history[0])
    if len({row["phase"] for row in history}) == 1:
        names.remove("phase")
    files.write_csv(path, names, ([row[name] for name in names] for row in history))


def best_epoch(rows: Sequence[Mapping[str, Any]]) -> int:
    """The position of the row with the smallest validation loss, the first of equals."""
    return min(range(len(rows)), key=lambda i: rows[i]["val_loss"])


def kept_epoch(rows: Sequence[Mapping[str, Any]], best_weights: bool) -> int | None:
    """The position of the epoch whose weights the model has; None without an epoch.

    The last one; with `best_weights` the best one of the last phase, where rows have a
    validation loss.

    Args:
        rows: of history.csv, with numbers; `phase` may be missing.
    """
    last = len(rows) - 1
    if not rows or not best_weights or "val_loss" not in rows[last]:
        return last if rows else None
    phase = rows[last].get("phase")
    first = next(i for i, row in enumerate(rows) if row.get("phase") == phase)
    return first + best_epoch(rows[first:])
