"""Groups of images that belong together: of one scene, one person, one patient."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.datasets.index import Index, name_of
from pipeline.datasets.names import counted, shown
from pipeline.datasets.pixels import Indices
from pipeline.datasets.table import read_table
from pipeline.datasets.work import Report
from pipeline.errors import PipelineError
from pipeline.parameters.lists import file_of, pattern_of
from pipeline.parameters.stages import PrepareParameters
from pipeline.runtime import files


@dataclass(frozen=True)
class Groups:
    """`of` is the group's number of each image, int64 (N,); an image of which nothing is said is
    a group of its own, and there are `alone` of those."""

    of: Indices
    source: str
    alone: int

    def torn(self, parts: dict[str, Indices]) -> tuple[int, int]:
        """How many groups stand in more than one part, and how many images they have."""
        seen = np.zeros(int(self.of.max()) + 1, "int64")
        for rows in parts.values():
            seen[np.unique(self.of[rows])] += 1
        images = sum(int((seen[self.of[rows]] > 1).sum()) for rows in parts.values())
        return int((seen > 1).sum()), images

    def describe(self, parts: dict[str, Indices]) -> dict[str, Any]:
        """What data/prepared/dataset.json says of them."""
        torn, images = self.torn(parts)
        return {
            "by": self.source,
            "groups": len(np.unique(self.of)) - self.alone,
            "alone": self.alone,
            "torn": {"groups": torn, "images": images},
        }


def read(parameters: PrepareParameters, index: Index) -> Groups | None:
    """The groups that the parameters ask for; None without.

    Raises:
        PipelineError: a pattern that matches nothing or puts all into one
            group, a file with an unknown image or with one twice.
    """
    if parameters.group_by is not None:
        return _by_pattern(parameters.group_by, index)
    if parameters.groups is not None:
        return _by_file(parameters.groups, index)
    return None


def write(groups: Groups, index: Index, parts: dict[str, Indices], path: Path) -> None:
    """data/prepared/groups.csv: the number of each image's group."""
    rows = np.concatenate(list(parts.values())).tolist()
    table = ((name_of(index, row), int(groups.of[row])) for row in rows)
    files.write_csv(path, ("name", "group"), table)


def warn(groups: Groups, parts: dict[str, Indices], report: Report) -> None:
    """Say how many groups there are, and which a published split tears."""
    known = groups.describe(parts)
    alone = f", {counted(groups.alone, 'image')} in none" if groups.alone else ""
    report(f"{groups.source}: {counted(known['groups'], 'group')}{alone}")
    torn, images = groups.torn(parts)
    if torn:
        report(
            f"warning: {groups.source}: the source's own split tears {counted(torn, 'group')} "
            f"({counted(images, 'image')}): the scores will be too good"
        )


def _by_pattern(text: str, index: Index) -> Groups:
    if index.names is None:
        raise PipelineError(
            "group_by: a named data set has no file names; use groups, a CSV of the image's number "
            "and its group"
        )
    pattern = pattern_of(text)
    names = index.names if "/" in text else [name.rpartition("/")[2] for name in index.names]
    found = (pattern.search(name) for name in names)
    groups = _numbered((match and match[1] for match in found), f"group_by {text!r}", index)
    if len(np.unique(groups.of)) == len(names) and not groups.alone:
        raise PipelineError(
            f"group_by: {text!r}: every image is a group of its own; put parentheses around what "
            "is the same in images that belong together"
        )
    if groups.alone == len(names):
        raise PipelineError(
            f"group_by: {text!r}: matches none of the {counted(len(names), 'file name')}, "
            f"{shown(names[0])} for one"
        )
    return groups


def _by_file(value: str, index: Index) -> Groups:
    path = file_of(value)
    table = read_table("groups", path, ("name", "group"), index)
    named = {row: cells["group"] for row, cells in table.items()}
    groups = (named.get(row) or None for row in range(len(index.labels)))
    return _numbered(groups, f"groups {Path(value).name}", index)


def _numbered(named: Iterator[str | None], source: str, index: Index) -> Groups:
    of = np.empty(len(index.labels), "int64")
    numbers: dict[str, int] = {}
    single = []
    for row, name in enumerate(named):
        if name is None:
            single.append(row)
        else:
            of[row] = numbers.setdefault(name, len(numbers))
    of[single] = len(numbers) + np.arange(len(single))
    if len(numbers) == 1 and not single:
        key, _, what = source.partition(" ")
        raise PipelineError(
            f"{key}: {what}: all {counted(len(of), 'image')} are of one group, "
            f"{shown(next(iter(numbers)))}; {shown(name_of(index, 0))} for one"
        )
    return Groups(of, source, len(single))
