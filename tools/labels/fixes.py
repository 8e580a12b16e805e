"""reports/label_issues.csv: what a person edits, and `label_fixes` applies."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from pipeline.datasets.fixes import COLUMNS, KEEP, RELABEL
from pipeline.parameters.lists import file_of
from pipeline.parameters.stages import PrepareParameters
from pipeline.runtime import files
from tools.labels.doubts import Doubts
from tools.labels.images import Images

Lines = list[dict[str, str]]


def earlier(parameters: PrepareParameters, folder: Path) -> Lines:
    """The lines of the fixes that the data were prepared with; none without."""
    if parameters.label_fixes is None:
        return []
    text = (folder / file_of(parameters.label_fixes)).read_bytes().decode("utf-8-sig")
    delimiter = ";" if ";" in text.partition("\n")[0] else ","
    rows = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, restval="")
    return [{key: (row.get(key) or "").strip() for key in COLUMNS} for row in rows]


def lines(images: Images, doubts: Doubts, before: Lines) -> tuple[Lines, list[int]]:
    """The lines of the new file, and which of the doubts are among them.

    What a person has decided on stands first, as it was; it is not asked again.
    Images of the test part are suggested to be kept: a test that changes is
    another test.
    """
    decided = {line["name"] for line in before}
    new = [place for place, row in enumerate(doubts.rows) if images.names[row] not in decided]
    written = [
        {
            "name": images.names[row],
            "part": images.parts[row],
            "label": images.classes[images.original[row]],
            "suggested": images.classes[doubts.suggested[place]],
            "score": f"{doubts.score[place]:.4f}",
            "action": KEEP if images.parts[row] == "test" else RELABEL,
        }
        for place, row in ((place, doubts.rows[place]) for place in new)
    ]
    return [*before, *written], new


def write(found: Lines, path: Path) -> Path | None:
    """Write the file; another one of that name is kept beside it, and its new path returned."""
    old = path.read_bytes() if path.exists() else None
    kept = path.with_name(f"{path.stem}.previous.csv")
    if old is not None:
        path.replace(kept)
    rows: Sequence[Sequence[str]] = [[line[key] for key in COLUMNS] for line in found]
    files.write_csv(path, COLUMNS, rows)
    if old == path.read_bytes():
        kept.unlink()
    return kept if kept.exists() and old is not None else None
