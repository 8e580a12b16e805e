"""What was measured, a line each, as soon as it is: a kill loses the running measurement alone."""

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path


@dataclass(frozen=True)
class Record:
    """One process, measured once.

    `seconds` is the wall time, `counted_seconds` that of the recipe with all
    its epochs where only some were run. `epoch_seconds` is the median epoch
    after the first, `images_per_second` the training images of such an epoch.
    `peak_mib` is the resident memory of the largest process. `others` is the
    share of the processors that other programs used meanwhile, 0 to 1. `key`
    says what was asked for (see `definition.Variant.key`), `code` is a digest of what
    ran (see `running.Benchmark.code`).
    """

    pair: str
    variant: str
    round: int
    key: str
    seconds: float
    counted_seconds: float
    epoch_seconds: float | None
    images_per_second: float | None
    peak_mib: float
    accuracy: float | None
    others: float
    commit: str
    code: str
    machine: str
    date: str


class Journal:
    """The records in a file of JSON lines."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> list[Record]:
        """All whole records; what a kill has cut off, or another version wrote, is left out."""
        try:
            lines = self.path.read_text(encoding="utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            return []
        return [record for line in lines if (record := _parsed(line))]

    def append(self, record: Record) -> None:
        """Add a record; it is on the disk when this returns."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a+b") as file:
            if file.seek(0, os.SEEK_END):
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":  # of a line that a kill cut off
                    file.write(b"\n")
            file.write(json.dumps(asdict(record), allow_nan=False).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())


def latest(records: Iterable[Record]) -> dict[tuple[str, str, int], Record]:
    """The last record of each pair, variant and round."""
    return {(record.pair, record.variant, record.round): record for record in records}


def _parsed(line: str) -> Record | None:
    try:
        values = json.loads(line)
    except ValueError:
        return None
    names = {field.name for field in fields(Record)}
    return Record(**values) if isinstance(values, dict) and set(values) == names else None
