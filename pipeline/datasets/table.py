"""CSV files of a person's own that say something of images: their groups, their labels."""

import csv
from collections.abc import Sequence
from pathlib import Path

from pipeline.datasets.index import Index, name_of
from pipeline.datasets.names import listed, shown
from pipeline.errors import PipelineError, did_you_mean

# A mistyped name is compared with so many, which takes a tenth of a second.
_MOST_COMPARED = 20_000


def read_table(
    key: str, path: Path, columns: Sequence[str], index: Index
) -> dict[int, dict[str, str]]:
    """The image's row in data/raw to the cells of its line, with its number in the file as `line`.

    The column `name` has an image's file name as data/prepared/split.csv has it, for a named
    data set its number. Columns that are not asked for are passed over. What a
    spreadsheet writes is read: a byte order mark, semicolons.

    Args:
        key: of params.yaml, which an error begins with.

    Raises:
        PipelineError: one line with the file, its line and what is wrong there.
    """
    where = f"{key}: {path.name}"
    lines = _lines(where, path)
    delimiter = ";" if lines and ";" in lines[0] and "," not in lines[0] else ","
    reader = csv.DictReader(lines, delimiter=delimiter, restval="", strict=True)
    rows = {name_of(index, row): row for row in range(len(index.labels))}
    found: dict[int, dict[str, str]] = {}
    try:
        header = [name.strip() for name in reader.fieldnames or ()]
        missing = [name for name in columns if name not in header]
        if missing:
            raise PipelineError(
                f"{where}: no column {missing[0]} in its first line; expected {listed(columns)}"
            )
        reader.fieldnames = header
        for cells in reader:
            cells = {k: v.strip() for k, v in cells.items() if isinstance(v, str)}
            if not any(cells.values()):
                continue
            name, line = cells["name"], reader.line_num
            if name not in rows:
                near = did_you_mean(name, list(rows)[:_MOST_COMPARED])
                raise PipelineError(
                    f"{where}: line {line}: {shown(name)}: the data set has no such image{near}"
                )
            if rows[name] in found:
                raise PipelineError(
                    f"{where}: line {line}: {shown(name)} stands in line "
                    f"{found[rows[name]]['line']} too; keep one of the two"
                )
            found[rows[name]] = {**cells, "line": str(line)}
    except csv.Error as error:
        raise PipelineError(f"{where}: line {reader.line_num}: {error}") from None
    return found


def _lines(where: str, path: Path) -> list[str]:
    try:
        return path.read_bytes().decode("utf-8-sig").splitlines(keepends=True)
    except UnicodeDecodeError as error:
        raise PipelineError(
            f"{where}: not UTF-8 (byte {error.start}); save the file as UTF-8"
        ) from None
    except OSError as error:
        raise PipelineError(f"{where}: {error.strerror or error}") from None
