"""Score the search for twins against a published list, or count its false alarms.

    python -m benchmarks.twins                       a set without twins: how many are found
    python -m benchmarks.twins --list duplicates_cifar10.csv --sheet unlisted.png
    python -m benchmarks.twins --features features.npy --list …    with a base's features

Works on data/prepared of the current folder. A list has the columns TestID and TrainID,
positions in the author's files (github.com/cvjena/cifair, meta/). Features are float32
(n, d), a row for each image in the order of the raw data. The chance is chosen on sets
without twins (MNIST), never by a list. Pairs that the list lacks go on the sheet, for a
person to look at: the list has what another network has found, not all there is.
"""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipeline.datasets import twins
from pipeline.errors import PipelineError
from pipeline.figures.headline import wilson_interval
from pipeline.runtime import paths
from pipeline.runtime.arrays import load_array
from pipeline.runtime.stage import program_parser, run_program

CHANCES = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
ACROSS, PAIRS = 10, 200  # of the sheet


def main(arguments: Sequence[str] | None = None) -> None:
    parser = program_parser("benchmarks.twins", __doc__)
    parser.add_argument("--list", type=Path, help="published pairs, as CSV")
    parser.add_argument("--features", type=Path, help="an .npy file of a base's features")
    parser.add_argument("--sheet", type=Path, help="PNG of the pairs that the list lacks")
    given = parser.parse_args(arguments)
    images, tested = _images()
    hashed = twins.hashes(images)
    opinions = {"pixels": twins.shrunk(images), "edges": twins.edges(images)}
    if given.features:
        opinions["features"] = twins.unit(np.asarray(load_array(given.features)))
    rows = tested if given.list else None
    found = {
        name: twins.find(vectors, hashed, rows, max(CHANCES)) for name, vectors in opinions.items()
    }
    listed = _listed(given.list, int(tested[0])) if given.list else set()
    for name, pairs in found.items():
        print(f"{name}: {len(images):,} images, dimension {pairs.dimension:.1f}")
    for chance in CHANCES:
        called = _called(list(found.values()), chance)
        mark = " ← the pipeline's" if chance == twins.CHANCE else ""
        print(f"chance {chance:g}: {_told(called, listed, tested, len(images))}{mark}")
    if given.sheet:
        called = _called(list(found.values()), twins.CHANCE)
        unlisted = {pair for pair in called if not set(pair) & listed and max(pair) >= tested[0]}
        count = _write_sheet(images, sorted(unlisted, key=lambda pair: pair[1]), given.sheet)
        print(f"{given.sheet}: {count} of {len(unlisted)} pairs that the list lacks")


def _images() -> tuple[np.ndarray, np.ndarray]:
    """All images in the order of the raw data, and the rows of the test part."""
    split = paths.PREPARED / "split.csv"
    if not split.is_file():
        raise PipelineError(f"{split}: not there; run `dvc repro prepare`")
    with split.open(encoding="utf-8", newline="") as file:
        where = [(row["part"], int(row["index"])) for row in csv.DictReader(file)]
    parts = {part: load_array(paths.PREPARED / f"{part}_images.npy") for part in paths.PARTS}
    images = np.concatenate([parts[part] for part in paths.PARTS if len(parts[part])])
    ordered = np.empty_like(images)
    order = np.argsort([index for _, index in where], kind="stable")
    ordered[:] = images[order]
    test = np.array([part == "test" for part, _ in where])[order]
    return ordered, np.flatnonzero(test)


def _listed(path: Path, first: int) -> set[int]:
    """The rows of the test images that the list has."""
    with path.open(encoding="utf-8", newline="") as file:
        return {first + int(row["TestID"]) for row in csv.DictReader(file)}


def _called(found: list[twins.Pairs], chance: float) -> set[tuple[int, int]]:
    return {
        (one, other)
        for pairs in found
        for one, other, likely in zip(
            pairs.first.tolist(), pairs.second.tolist(), pairs.chance.tolist(), strict=True
        )
        if likely < chance
    }


def _told(called: set[tuple[int, int]], listed: set[int], tested: np.ndarray, images: int) -> str:
    if not listed:
        alarms = len({row for pair in called for row in pair})
        return f"{alarms} images have a twin, {1000 * alarms / images:.2f} of 1,000"
    # A pair of a training and a test image, as the list has them.
    flagged = {max(pair) for pair in called if min(pair) < tested[0] <= max(pair)}
    hits = len(flagged & listed)
    recall = wilson_interval(hits, len(listed))
    return (
        f"{len(flagged)} test images, {hits} of the {len(listed)} listed: recall "
        f"{hits / len(listed):.3f} ({recall[0]:.3f} to {recall[1]:.3f}), precision by the list "
        f"{hits / max(len(flagged), 1):.3f}"
    )


def _write_sheet(images: np.ndarray, pairs: list[tuple[int, int]], path: Path) -> int:
    from PIL import Image

    count = min(len(pairs), PAIRS) // ACROSS * ACROSS
    if count:
        shown = [np.concatenate([images[one], images[other]], axis=1) for one, other in pairs]
        rows = [np.concatenate(shown[i : i + ACROSS], axis=1) for i in range(0, count, ACROSS)]
        sheet = np.concatenate(rows)
        sheet = sheet if sheet.shape[2] == 3 else np.repeat(sheet, 3, axis=2)
        Image.fromarray(sheet).resize((2 * sheet.shape[1], 2 * sheet.shape[0]), 0).save(path)
    return count


if __name__ == "__main__":
    run_program("twins", main)
