"""What is checked: the images of data/prepared, their names, parts and labels."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import PipelineError
from pipeline.runtime import files, paths
from pipeline.runtime.arrays import Array, load_array

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Images:
    """Some parts of data/prepared as one row of images: `names`, `parts` and `labels` (int64, (n,),
    as trained on) have an element each; `original` are the labels that the images came with."""

    dataset: dict[str, Any]
    counts: dict[str, int]
    names: list[str]
    parts: list[str]
    labels: Indices
    original: Indices

    @property
    def classes(self) -> list[str]:
        classes: list[str] = self.dataset["classes"]
        return classes

    def __len__(self) -> int:
        return len(self.names)

    def pixels(self, rows: Sequence[int] | Indices) -> list[npt.NDArray[np.uint8]]:
        """The images of some rows, uint8 (H, W, C) each, read from their files."""
        arrays = [load_array(paths.PREPARED / f"{part}_images.npy") for part in self.counts]
        starts = np.cumsum([0, *self.counts.values()])
        found = []
        for row in rows:
            part = int(np.searchsorted(starts, row, side="right")) - 1
            found.append(np.asarray(arrays[part][int(row) - starts[part]]))
        return found

    def arrays(self, pattern: str = "{}_images.npy") -> list[Array]:
        """The parts' arrays, mapped, in order."""
        return [load_array(paths.PREPARED / pattern.format(part)) for part in self.counts]


def read(with_test: bool) -> Images:
    """The training and validation images of the workspace, and the test images if wanted.

    Raises:
        PipelineError: there is no prepared data set yet.
    """
    description = paths.PREPARED / "dataset.json"
    if not description.is_file():
        raise PipelineError(f"{description}: not there; run `dvc repro`, which makes it")
    dataset = files.read_json(description)
    wanted = paths.PARTS if with_test else paths.PARTS[:2]
    number = {name: place for place, name in enumerate(dataset["classes"])}
    names: list[str] = []
    parts: list[str] = []
    labels: list[int] = []
    for row in _rows(paths.PREPARED / "split.csv"):
        if row["part"] in wanted:
            names.append(row["name"] or row["index"])
            parts.append(row["part"])
            labels.append(number[row["label"]])
    original = list(labels)
    changed = paths.PREPARED / "fixes.csv"
    if changed.exists():
        before = {row["name"]: number[row["label"]] for row in _rows(changed)}
        original = [before.get(name, label) for name, label in zip(names, labels, strict=True)]
    counts = {part: sum(dataset["counts"][part]) for part in wanted}
    return Images(
        dataset, counts, names, parts, np.array(labels, "int64"), np.array(original, "int64")
    )


def groups(images: Images) -> Indices | None:
    """The group's number of each image, int64 (n,), where the run has groups."""
    path = paths.PREPARED / "groups.csv"
    if not path.exists():
        return None
    numbers = {row["name"]: int(row["group"]) for row in _rows(path)}
    return np.array([numbers[name] for name in images.names], "int64")


def _rows(path: Any) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
