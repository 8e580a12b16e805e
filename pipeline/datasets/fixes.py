"""`label_fixes`: labels that a person has put right, and images that are left out.

A CSV with the columns name, part, label, suggested, score and action, as
`make check-labels` writes it. Actions: `relabel` (to what stands under
suggested), `leave-out`, and `keep` or nothing. It acts after the split, so that
an image is in the same part with and without it, and two runs can be compared.
"""

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.datasets.index import Index, name_of
from pipeline.datasets.names import counted, listed, shown
from pipeline.datasets.pixels import Indices
from pipeline.datasets.table import read_table
from pipeline.datasets.work import Report
from pipeline.errors import PipelineError, did_you_mean
from pipeline.parameters.lists import file_of
from pipeline.runtime import files
from pipeline.runtime.paths import PARTS

RELABEL, LEAVE_OUT, KEEP = "relabel", "leave-out", "keep"
ACTIONS = (RELABEL, LEAVE_OUT, KEEP)
COLUMNS = ("name", "part", "label", "suggested", "score", "action")
NEEDED = ("name", "part", "label", "suggested", "action")
# So many changes are written into dataset.json, for the report; fixes.csv has all.
_NAMED = 20
Parts = dict[str, Indices]


@dataclass(frozen=True)
class Fix:
    """What is done with the image `row`: `label` is its new class, None where it is left out;
    `part` and `line` are as the file has them."""

    row: int
    label: int | None
    part: str
    line: str


@dataclass(frozen=True)
class Fixes:
    """What a file of fixes asks for, in the order of data/raw."""

    file: str
    fixes: list[Fix]

    def apply(self, index: Index, parts: Parts, classes: list[str]) -> tuple[Index, Parts]:
        """Index and parts with the labels put right and the images left out.

        Raises:
            PipelineError: an image of the test part that the file does not
                say is one, or a class without an image left to train on.
        """
        tested = set(parts["test"].tolist())
        for fix in self.fixes:
            if fix.row in tested and fix.part != "test":
                raise PipelineError(
                    f"{self._where(fix)}: {shown(name_of(index, fix.row))} is in the test part, on "
                    "which models are compared; write test under part to change it all the same"
                )
        labels = index.labels.copy()
        for fix in self.fixes:
            if fix.label is not None:
                labels[fix.row] = fix.label
        gone = np.zeros(len(labels), bool)
        gone[[fix.row for fix in self.fixes if fix.label is None]] = True
        left = {part: rows[~gone[rows]] for part, rows in parts.items()}
        trained = np.bincount(labels[left["train"]], minlength=len(classes))
        if not trained.all():
            name = classes[int(np.argmin(trained > 0))]
            raise PipelineError(
                f"label_fixes: {self.file}: leaves no image of class {shown(name)} to train on"
            )
        if not len(left["test"]):
            raise PipelineError(f"label_fixes: {self.file}: leaves no image to test on")
        return replace(index, labels=labels), left

    def changes(self, index: Index, parts: Parts, classes: list[str]) -> list[tuple[str, ...]]:
        """What `apply` changes of the index and parts before it: name, part, label, becomes."""
        part_of = {row: part for part, rows in parts.items() for row in rows.tolist()}
        changed = [
            (
                name_of(index, fix.row),
                part_of[fix.row],
                classes[index.labels[fix.row]],
                "" if fix.label is None else classes[fix.label],
            )
            for fix in self.fixes
            if fix.row in part_of
        ]
        return sorted(changed, key=lambda row: (PARTS.index(row[1]), row[0]))

    def _where(self, fix: Fix) -> str:
        return f"label_fixes: {self.file}: line {fix.line}"


def read(value: str | None, index: Index, classes: list[str]) -> Fixes | None:
    """The fixes of the file that `label_fixes` names; None without.

    Raises:
        PipelineError: an unknown image, class or action, an image twice, or a
            label that is not the image's.
    """
    if value is None:
        return None
    path = file_of(value)
    numbers = {name: number for number, name in enumerate(classes)}
    found = []
    for row, cells in sorted(read_table("label_fixes", path, NEEDED, index).items()):
        where = f"label_fixes: {path.name}: line {cells['line']}: {shown(cells['name'])}"
        action = cells["action"].lower().replace(" ", "-")
        if action not in (*ACTIONS, ""):
            raise PipelineError(
                f"{where}: action: {shown(cells['action'])}: unknown"
                f"{did_you_mean(action, ACTIONS)}; known: {', '.join(ACTIONS)}"
            )
        wanted = ("label", "suggested") if action == RELABEL else ("label",)
        for column in wanted:
            if cells[column] not in numbers:
                raise PipelineError(
                    f"{where}: {column}: the data set has no class {shown(cells[column])!r}"
                    f"{did_you_mean(cells[column], classes)}"
                )
        if numbers[cells["label"]] != index.labels[row]:
            raise PipelineError(
                f"{where}: label: {shown(cells['label'])}, but the data set says "
                f"{shown(classes[index.labels[row]])}; the file was made for other data"
            )
        if cells["part"] not in PARTS:
            raise PipelineError(
                f"{where}: part: {shown(cells['part'])!r}: expected {listed(PARTS)}"
            )
        if action == RELABEL and numbers[cells["suggested"]] != index.labels[row]:
            found.append(Fix(row, numbers[cells["suggested"]], cells["part"], cells["line"]))
        elif action == LEAVE_OUT:
            found.append(Fix(row, None, cells["part"], cells["line"]))
    return Fixes(path.name, found)


def write(changes: list[tuple[str, ...]], path: Path) -> None:
    """data/prepared/fixes.csv, which says what was changed."""
    files.write_csv(path, ("name", "part", "label", "becomes"), changes)


def describe(file: str, changes: list[tuple[str, ...]]) -> dict[str, Any]:
    """What data/prepared/dataset.json says of them: counts of each part, and the first by name."""
    relabelled = Counter(part for _, part, _, becomes in changes if becomes)
    left_out = Counter(part for _, part, _, becomes in changes if not becomes)
    return {
        "file": file,
        "relabelled": {part: relabelled[part] for part in PARTS},
        "left_out": {part: left_out[part] for part in PARTS},
        "first": [list(change) for change in changes[:_NAMED]],
    }


def tell(described: dict[str, Any], report: Report) -> None:
    """Say what was changed; loudly of the test part."""
    relabelled, left_out = described["relabelled"], described["left_out"]
    report(
        f"label_fixes: {described['file']}: {counted(sum(relabelled.values()), 'image')} "
        f"relabelled, {sum(left_out.values()):,} left out"
    )
    tested = relabelled["test"] + left_out["test"]
    if tested:
        report(
            f"WARNING: label_fixes changes {counted(tested, 'image')} of the TEST part: scores do "
            "not compare with those of runs without it"
        )
