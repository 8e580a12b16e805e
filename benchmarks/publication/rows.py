"""The published rows: what others have measured, and how to run it again."""

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from tools.experiments.definition import (
    check_keys,
    check_known,
    check_name,
    check_once,
    listing,
    mapping,
    read_mapping,
    whole,
)
from tools.experiments.experiment import Base, Experiment, with_seeds

KEYS = (
    "name",
    "source",
    "data",
    "overrides",
    "seeds",
    "published",
    "note",
    "open",
    "tuning_log",
)
PUBLISHED_KEYS = ("accuracy", "seconds", "words", "diagonal")
PREFIX = "published-"  # of the experiments' names
CIFAR10 = "cifar10"
CIFAR10_VARIABLE = "IMAGE_PIPELINE_CIFAR10"
# The quick form: the row's network, dropouts and batches, an epoch on tiny digits.
QUICK = {"dataset": "digits", "image_size": 16, "epochs": 1}


@dataclass(frozen=True)
class Row:
    """One row of experiments/published.yaml; `published` has the keys that the source gives."""

    name: str
    source: str
    data: str
    overrides: dict[str, Any]
    seeds: int | None
    published: dict[str, Any]
    note: str = ""
    open: str = ""
    tuning_log: bool = False
    experiments: tuple[Experiment, ...] = field(default=(), compare=False)

    @property
    def published_words(self) -> str:
        """0.7424, 1,084.9 s; or what the source says in words."""
        words = []
        if "accuracy" in self.published:
            words.append(f"{self.published['accuracy']:.4f}")
        if "seconds" in self.published:
            words.append(f"{self.published['seconds']:,.1f} s")
        if "words" in self.published:
            words.append(self.published["words"])
        return ", ".join(words)

    @property
    def command(self) -> str:
        """What one types for it; the same text is the same run."""
        dataset = self.overrides.get("dataset")
        parts = ["dvc exp run", f"-n {PREFIX}{self.name}"]
        for key, value in self.overrides.items():
            if key == "dataset" and str(dataset).startswith("/"):
                parts.append(f'-S dataset="${CIFAR10_VARIABLE}"')
            else:
                parts.append(_option(key, value))
        return " ".join(parts)


def read_rows(path: Path, base: Base, cifar10: Path | None, quick: bool) -> list[Row]:
    """The rows, their experiments checked, with the data that this machine has.

    Args:
        cifar10: an archive or folder in place of CIFAR-10's own files.
        quick: every row with a tiny budget, none of them open.

    Raises:
        PipelineError: one line with the file, the row and what is wrong.
    """
    found = read_mapping(path)
    check_keys(str(path), found, ("rows",), ("rows",))
    rows = [
        _row(path, base, number, entry, cifar10, quick)
        for number, entry in enumerate(listing(f"{path}: rows", found["rows"]), 1)
    ]
    check_once(str(path), [row.name for row in rows], "rows")
    return rows


def chosen(rows: Sequence[Row], only: Sequence[str]) -> list[Row]:
    """The rows of these names, else all that are not open.

    Raises:
        PipelineError: there is no row of such a name.
    """
    check_known("--only", only, [row.name for row in rows], "row")
    return [row for row in rows if (row.name in only if only else not row.open)]


def _row(path: Path, base: Base, number: int, entry: Any, cifar10: Path | None, quick: bool) -> Row:
    where = f"{path}: row {number}"
    check_keys(where, mapping(where, entry), KEYS, ("name", "source", "data", "overrides"))
    name = check_name(where, entry["name"])
    where = f"{path}: {name}"
    overrides = dict(mapping(f"{where}: overrides", entry["overrides"]))
    published = mapping(f"{where}: published", entry.get("published") or {})
    check_keys(f"{where}: published", published, PUBLISHED_KEYS, ())
    seeds = entry.get("seeds")
    if seeds is not None:
        whole(f"{where}: seeds", seeds, 1)
    data, opened = str(entry["data"]), str(entry.get("open") or "")
    if quick:
        overrides, seeds, data, opened = {**overrides, **QUICK}, None, "digits, 16×16", ""
    elif overrides.get("dataset") == CIFAR10 and cifar10:
        overrides["dataset"] = str(cifar10.absolute())
        data += f", {_kind(cifar10)}"
    return Row(
        name=name,
        source=str(entry["source"]),
        data=data,
        overrides=overrides,
        seeds=seeds,
        published=published,
        note="" if quick else str(entry.get("note") or ""),
        open=opened,
        tuning_log=bool(entry.get("tuning_log")),
        experiments=tuple(with_seeds(where, f"{PREFIX}{name}", base, overrides, seeds)),
    )


def _kind(archive: Path) -> str:
    """'JPEG copies' where the archive holds such, for they are not the original pixels."""
    try:
        with zipfile.ZipFile(archive) as found:
            names = [PurePosixPath(name) for name in found.namelist() if not name.endswith("/")]
    except (OSError, zipfile.BadZipFile):
        return f"copies in {archive.name}"
    is_jpeg = any(name.suffix.lower() in (".jpg", ".jpeg") for name in names)
    return "JPEG copies" if is_jpeg else f"copies in {archive.name}"


def _option(key: str, value: Any) -> str:
    if isinstance(value, list):
        return f"-S '{key}=[{','.join(f'{each:g}' for each in value)}]'"
    if isinstance(value, bool):
        return f"-S {key}={str(value).lower()}"
    return f"-S {key}={value}"
