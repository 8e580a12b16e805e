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
from pipeline.figures.headline import wilson_interval
from pipeline.runtime import files, machine
from tools.comparison.chance import compare
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
    "difference",
    "low",
    "high",
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


def line_of(row: Row, runs: Sequence[Run], commit: str, against: str = "") -> dict[str, str]:
    """The line of a row whose experiments have all finished; `against` is one of its notes."""
    accuracy, seconds = spread_of(runs, "test_accuracy"), spread_of(runs, "train_seconds")
    trained = [run.results.history["accuracy"][-1] for run in runs if run.results.history]
    notes = [row.expected.note] if row.expected.note else []
    confusion = runs[0].results.confusion
    if row.expected.diagonal is not None and confusion is not None:
        published = ", ".join(map(str, row.expected.diagonal))
        here = ", ".join(map(str, confusion.diagonal()))
        notes.append(f"the confusion matrix's diagonal: published {published}; here {here}")
    if against:
        notes.append(against)
    parameters = row.experiments[0].parameters
    return {
        **dict.fromkeys(COLUMNS, ""),
        **_known(row),
        "accuracy": f"{accuracy.mean:.4f}",
        "spread": "" if accuracy.deviation is None else f"{accuracy.deviation:.4f}",
        **_difference(row.expected.accuracy, accuracy.mean, runs[0]),
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


def _difference(published: float | None, here: float, run: Run) -> dict[str, str]:
    """Here less published, in points, with the 95% interval of two shares of so many test images
    (Newcombe, Statistics in Medicine 17:873, 1998, method 10)."""
    outcome = run.results.outcome
    if published is None or outcome is None:
        return {}
    images = len(outcome.right)
    low, high = wilson_interval(round(here * images), images)
    least, most = wilson_interval(round(published * images), images)
    below = math.hypot(here - low, most - published)
    above = math.hypot(high - here, published - least)
    difference = here - published
    points = (difference, difference - below, difference + above)
    return dict(
        zip(("difference", "low", "high"), (f"{100 * p:+.2f}" for p in points), strict=True)
    )


def compared(runs: Sequence[Run], name: str, others: Sequence[Run]) -> str:
    """What McNemar's test says of a row and the one of that name, seed by seed; '' of none."""
    said = []
    for run, other in zip(runs, others, strict=False):
        found = compare(run, other)
        alone = f"{found.only_first} images right here alone, {found.only_second} there"
        said.append(f"{alone} (p = {found.p:.2g})")
    return f"against {name}, by McNemar's test, seed by seed: {', '.join(said)}" if said else ""


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
    more = ("difference in points (95%)", "seconds", "training images")
    table = [(*head, *more), ("---",) * (len(head) + len(more))]
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
                "{difference} ({low} to {high})".format(**line) if line["difference"] else "–",
                line["seconds"] or "–",
                line["train_accuracy"] or "–",
            )
        )
    text = [
        "# The published rows, run again",
        "",
        "Written by `make published`; not by hand. 'Here' is the accuracy on the test images after",
        "the last epoch; ± is one standard deviation over the training seeds. The difference is",
        "ours less the published, with the interval that the number of test images leaves.",
        "Seconds are the training's, whatever else the machine did meanwhile. 'Training images' is",
        "the last epoch's accuracy on those, with dropout.",
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
