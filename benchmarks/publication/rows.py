"""The published rows: what others have measured, and how to run it again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.experiments.experiment import Base, Experiment
from tools.experiments.fields import check_known
from tools.experiments.file import Entry, Expected, ExperimentFile, read_file

PREFIX = "published-"  # of the experiments' names
# The quick form: the row's network, dropouts and batches, an epoch on tiny digits.
QUICK = {"dataset": "digits", "image_size": 16, "epochs": 1}


@dataclass(frozen=True)
class Row:
    """One row of the file, with the data that this machine has, and its experiments."""

    name: str
    data: str
    overrides: dict[str, Any]
    expected: Expected
    against: str
    open: str
    tuning_log: bool
    experiments: tuple[Experiment, ...]

    @property
    def published_words(self) -> str:
        """0.7424, 1,084.9 s; or what the source says in words."""
        said = self.expected
        words = [said.words] if said.words else []
        if said.seconds is not None:
            words.insert(0, f"{said.seconds:,.1f} s")
        if said.accuracy is not None:
            words.insert(0, f"{said.accuracy:.4f}")
        return ", ".join(words)

    @property
    def command(self) -> str:
        """What one types for it; the same text is the same run."""
        options = [_option(key, value) for key, value in self.overrides.items()]
        return " ".join(["dvc exp run", f"-n {PREFIX}{self.name}", *options])


def read_rows(path: Path, base: Base, data: Mapping[str, Path], quick: bool) -> list[Row]:
    """The rows, their experiments checked.

    Args:
        data: folders or archives that stand in for data sets, by their names.
        quick: every row with a tiny budget, none of them open.

    Raises:
        PipelineError: one line with the file, the row and what is wrong.
    """
    file = read_file(path)
    if quick:
        file = file.model_copy(update={"seeds": None, "folds": None})
    known = {str({**file.defaults, **entry.overrides}.get("dataset")) for entry in file.entries}
    check_known("--data", list(data), known, "data set")
    rows = [_row(str(path), base, file, entry, data, quick) for entry in file.entries]
    check_known(f"{path}: against", [r.against for r in rows if r.against], _names(rows), "row")
    return rows


def chosen(rows: Sequence[Row], only: Sequence[str]) -> list[Row]:
    """The rows of these names, else all that are not open.

    Raises:
        PipelineError: there is no row of such a name.
    """
    check_known("--only", only, _names(rows), "row")
    return [row for row in rows if (row.name in only if only else not row.open)]


def _names(rows: Sequence[Row]) -> list[str]:
    return [row.name for row in rows]


def _row(
    where: str,
    base: Base,
    file: ExperimentFile,
    entry: Entry,
    data: Mapping[str, Path],
    quick: bool,
) -> Row:
    overrides, expected, about = {**file.defaults, **entry.overrides}, entry.expected, entry.data
    is_open, asked = entry.open, dict(overrides)
    if quick:
        overrides = asked = {**overrides, **QUICK}
        entry = entry.model_copy(update={"seeds": None, "folds": None})
        about, expected, is_open = "digits, 16×16", expected.model_copy(update={"note": ""}), ""
    elif here := data.get(str(overrides.get("dataset"))):
        # What one types names no path of this machine.
        asked["dataset"] = f'"${str(overrides["dataset"]).upper()}"'
        overrides, is_open = {**overrides, "dataset": str(here.absolute())}, ""
    entry = entry.model_copy(update={"overrides": overrides})
    return Row(
        name=entry.name,
        data=about,
        overrides=asked,
        expected=expected,
        against=entry.against,
        open=is_open,
        tuning_log=entry.tuning_log,
        experiments=tuple(file.expanded(where, base, [entry], PREFIX)),
    )


def _option(key: str, value: Any) -> str:
    if isinstance(value, list):
        return f"-S '{key}=[{','.join(f'{each:g}' for each in value)}]'"
    if isinstance(value, bool):
        return f"-S {key}={str(value).lower()}"
    return f"-S {key}={value}"
