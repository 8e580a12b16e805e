"""The table of the published rows: reports/published.csv, and the same to read in .md.

What is finished is what DVC knows; the table is a view of it that is committed. A
line of it with the same command stands where the experiments are not, in a fresh
clone say: it is a fact of the commit that it names; a later one does not undo it.
Where the code that decides it has changed since, by its digest, that is said.
"""

import csv
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.publication.rows import Row
from pipeline.runtime import files, machine
from tools.experiments.experiment import resolved_parameters
from tools.experiments.table import spread_of
from tools.runs.run import Run
from tools.runs.spread import spread

COLUMNS = (
    "name",
    "source",
    "data",
    "network",
    "dropout",
    "epochs",
    "batch_size",
    "published",
    "accuracy",
    "spread",
    "seconds",
    "train_accuracy",
    "date",
    "machine",
    "seeds",
    "commit",
    "code",
    "command",
    "note",
)


@dataclass(frozen=True)
class Place:
    """Where the table is written: `folder` gets published.csv, .md and .png."""

    folder: Path

    @property
    def csv(self) -> Path:
        return self.folder / "published.csv"

    @property
    def markdown(self) -> Path:
        return self.folder / "published.md"

    @property
    def picture(self) -> Path:
        return self.folder / "published.png"


def read_done(place: Place, rows: Sequence[Row]) -> dict[str, dict[str, str]]:
    """The lines of the table that are still what a row asks for: name to columns."""
    try:
        with place.csv.open(encoding="utf-8", newline="") as file:
            lines = list(csv.DictReader(file))
    except FileNotFoundError:
        return {}
    asked = {row.name: row for row in rows}
    return {
        line["name"]: {**dict.fromkeys(COLUMNS, ""), **line}
        for line in lines
        if line.get("accuracy")
        and line["name"] in asked
        and line["command"] == asked[line["name"]].command
    }


def line_of(row: Row, runs: Sequence[Run], commit: str) -> dict[str, str]:
    """The line of a row whose experiments have all finished."""
    accuracy, seconds = spread_of(runs, "test_accuracy"), spread_of(runs, "train_seconds")
    trained = [run.results.history["accuracy"][-1] for run in runs if run.results.history]
    notes = [row.expected.note] if row.expected.note else []
    confusion = runs[0].results.confusion
    if row.expected.diagonal is not None and confusion is not None:
        published = ", ".join(map(str, row.expected.diagonal))
        here = ", ".join(map(str, confusion.diagonal()))
        notes.append(f"the confusion matrix's diagonal: published {published}; here {here}")
    parameters = row.experiments[0].parameters
    return {
        **_known(row),
        "accuracy": f"{accuracy.mean:.4f}",
        "spread": "" if accuracy.deviation is None else f"{accuracy.deviation:.4f}",
        "seconds": "" if math.isnan(seconds.mean) else f"{seconds.mean:.1f}",
        "train_accuracy": f"{spread(trained).mean:.4f}" if trained else "",
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{machine.processor()}, {os.cpu_count()} processors, "
        f"threads: {parameters['threads']}",
        "seeds": " ".join(str(each.parameters["seed"]) for each in row.experiments),
        "commit": commit[:10],
        "code": runs[0].code[:16],
        "note": "; ".join(notes),
    }


def open_line(row: Row, reason: str) -> dict[str, str]:
    """The line of a row that was not run, with the reason as its note."""
    return {**dict.fromkeys(COLUMNS, ""), **_known(row), "note": f"open: {reason}"}


def _known(row: Row) -> dict[str, str]:
    """What a row says before it runs."""
    settings = resolved_parameters(row.name, row.experiments[0].parameters)
    return {
        "name": row.name,
        "source": row.expected.source,
        "data": row.data,
        "network": settings["model"],
        "dropout": " ".join(f"{rate:g}" for rate in settings["dropout"]),
        "epochs": str(settings["epochs"]),
        "batch_size": str(settings["batch_size"]),
        "published": row.published_words,
        "command": row.command,
    }


def write_table(place: Place, rows: Sequence[Row], lines: Mapping[str, Mapping[str, str]]) -> None:
    """Write the .csv and the .md, a line for each row that has one, in the rows' order."""
    ordered = [lines[row.name] for row in rows if row.name in lines]
    files.write_csv(place.csv, COLUMNS, ([line[key] for key in COLUMNS] for line in ordered))
    files.write_text(place.markdown, _markdown(place, ordered))


def _markdown(place: Place, lines: Sequence[Mapping[str, str]]) -> str:
    head = ("source", "data", "network", "dropout", "epochs", "batch", "published", "here")
    table = [(*head, "seconds", "training images"), ("---",) * (len(head) + 2)]
    for line in lines:
        here = line["accuracy"] or "open"
        if line["spread"]:
            here += f" ± {line['spread']}"
        dropout = line["dropout"].replace(" ", ", ") or "–"
        settings = (line["network"], dropout, line["epochs"], line["batch_size"])
        table.append(
            (
                line["source"],
                line["data"],
                *settings,
                line["published"],
                here,
                line["seconds"] or "–",
                line["train_accuracy"] or "–",
            )
        )
    text = [
        "# The published rows, run again",
        "",
        "Written by `make published`; not by hand. 'Here' is the accuracy on the test images after",
        "the last epoch; ± is one standard deviation over the training seeds. Seconds are the",
        "training's, whatever else the machine did meanwhile. 'Training images' is the last",
        "epoch's accuracy on those, with dropout. The figures were published for the original",
        "files; where the data are JPEG copies, compare rows with each other.",
        "",
        *("| " + " | ".join(_cell(cell) for cell in row) + " |" for row in table),
        "",
    ]
    if place.picture.exists():
        text += ["![Dropout, epochs and batch size of the tuning log](published.png)", ""]
    text += ["## Each row", ""]
    for line in lines:
        text += [f"- **{line['name']}** ({line['source']}): `{line['command']}`"]
        if line["date"]:
            seeds = "seeds" if " " in line["seeds"] else "seed"
            where = f"{line['machine']}, {seeds} {line['seeds']}, commit {line['commit']}"
            text += [f"  {line['date']}, {where}."]
        if line["note"]:
            text += [f"  Note: {line['note']}."]
    return "\n".join(text) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
