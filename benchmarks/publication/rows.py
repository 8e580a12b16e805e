"""The published rows: what others have measured, and how to run it again."""

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from tools.experiments.experiment import Base, Experiment
from tools.experiments.fields import check_known
from tools.experiments.file import Entry, Expected, ExperimentFile, read_file

PREFIX = "published-"  # of the experiments' names
CIFAR10 = "cifar10"
CIFAR10_VARIABLE = "IMAGE_PIPELINE_CIFAR10"
# The quick form: the row's network, dropouts and batches, an epoch on tiny digits.
QUICK = {"dataset": "digits", "image_size": 16, "epochs": 1}


@dataclass(frozen=True)
class Row:
    """One row of the file, with the data that this machine has, and its experiments."""

    name: str
    data: str
    overrides: dict[str, Any]
    expected: Expected
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
    file = read_file(path)
    if quick:
        file = file.model_copy(update={"seeds": None, "folds": None})
    return [_row(str(path), base, file, entry, cifar10, quick) for entry in file.entries]


def chosen(rows: Sequence[Row], only: Sequence[str]) -> list[Row]:
    """The rows of these names, else all that are not open.

    Raises:
        PipelineError: there is no row of such a name.
    """
    check_known("--only", only, [row.name for row in rows], "row")
    return [row for row in rows if (row.name in only if only else not row.open)]


def _row(
    where: str, base: Base, file: ExperimentFile, entry: Entry, cifar10: Path | None, quick: bool
) -> Row:
    overrides, expected, data = {**file.defaults, **entry.overrides}, entry.expected, entry.data
    if quick:
        overrides = {**overrides, **QUICK}
        entry = entry.model_copy(update={"seeds": None, "folds": None})
        data, expected = "digits, 16×16", expected.model_copy(update={"note": ""})
    elif overrides.get("dataset") == CIFAR10 and cifar10:
        overrides = {**overrides, "dataset": str(cifar10.absolute())}
        data += f", {_kind(cifar10)}"
    entry = entry.model_copy(update={"overrides": overrides})
    return Row(
        name=entry.name,
        data=data,
        overrides=overrides,
        expected=expected,
        open="" if quick else entry.open,
        tuning_log=entry.tuning_log,
        experiments=tuple(file.expanded(where, base, [entry], PREFIX)),
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
