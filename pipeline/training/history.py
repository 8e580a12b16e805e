"""reports/history.csv, a row an epoch."""

from pathlib import Path
from typing import Any

from pipeline.runtime import files


def write_history(path: Path, history: list[dict[str, Any]]) -> None:
    """Write a row an epoch; the column `phase` only where there is more than one."""
    names = list(history[0])
    if len({row["phase"] for row in history}) == 1:
        names.remove("phase")
    files.write_csv(path, names, ([row[name] for name in names] for row in history))
