"""data/twins: the twins within and between the parts, and what is left out of training for them.

twins.json says what was found, for the report; dropped.json which training images are
left out (`duplicates: drop-from-training`), positions in the training part.
"""

from typing import Any

import numpy as np

from pipeline.datasets import twins
from pipeline.datasets.dropped import DROPPED_FILE
from pipeline.datasets.names import counted
from pipeline.datasets.twins import Pairs, Vectors
from pipeline.datasets.work import Report
from pipeline.runtime import files, paths
from pipeline.runtime.arrays import load_array

TWINS_FILE = paths.TWINS / "twins.json"
SHOWN = 60  # pairs that the report may show
DROP = "drop-from-training"
_MAPS_STEP = 256  # images whose maps are averaged at a time


def write_twins(duplicates: str, report: Report) -> None:
    """Find the twins of data/prepared and write data/twins."""
    images = {part: load_array(paths.PREPARED / f"{part}_images.npy") for part in paths.PARTS}
    described = describe(images, {part: _features(part) for part in paths.PARTS})
    leaking = described.pop("leaking")
    dropped = leaking if duplicates == DROP else []
    files.fresh_folder(paths.TWINS)
    files.write_json(TWINS_FILE, described)
    files.write_json(DROPPED_FILE, dropped)
    count = len(described["tested"])
    if count or dropped:
        verb = "has" if count == 1 else "have"
        said = (
            f"{counted(len(dropped), 'training image')} left out" if dropped else "see the report"
        )
        report(f"warning: {counted(count, 'test image')} {verb} a twin in another part: {said}")


def describe(images: dict[str, np.ndarray], features: dict[str, Vectors | None]) -> dict[str, Any]:
    """twins.json, with `leaking`: the training images that have a twin in another part.

    Args:
        images: uint8 (n, H, W, C) by part.
        features: of a base, float32 (n, d) by part, or None.
    """
    lengths = [len(images[part]) for part in paths.PARTS]
    starts = np.cumsum([0, *lengths])
    rows = None
    if starts[-1] > twins.COMPARED:
        rows = np.arange(starts[1], starts[-1])
    hashed = np.concatenate(
        [twins.hashes(images[part]) for part in paths.PARTS if len(images[part])]
    )
    filled = [each for each in images.values() if len(each)]
    opinions = {
        "pixels": np.concatenate([twins.shrunk(each) for each in filled]),
        "edges": np.concatenate([twins.edges(each) for each in filled]),
    }
    known = [each for each in features.values() if each is not None and len(each)]
    if sum(map(len, known)) == starts[-1]:
        opinions["features"] = twins.unit(np.concatenate(known))
    found = {name: twins.find(vectors, hashed, rows) for name, vectors in opinions.items()}
    pairs = _merged(found)
    part = np.searchsorted(starts, np.arange(starts[-1]), side="right") - 1
    kinds: dict[str, int] = {}
    across: list[set[int]] = [set(), set(), set()]
    for one, other, *_ in pairs:
        kind = "-".join(paths.PARTS[each] for each in sorted((part[one], part[other])))
        kinds[kind] = kinds.get(kind, 0) + 1
        if part[one] != part[other]:
            for row in (one, other):
                across[part[row]].add(int(row - starts[part[row]]))

    def place(row: int) -> dict[str, Any]:
        return {"part": paths.PARTS[part[row]], "position": int(row - starts[part[row]])}

    # Those that reach the test first: they make its score too good.
    pairs.sort(
        key=lambda pair: (part[pair[0]] == part[pair[1]], -max(part[pair[0]], part[pair[1]]))
    )
    return {
        "images": int(starts[-1]),
        "everyone": rows is None,
        "dimensions": {name: _rounded(each.dimension) for name, each in found.items()},
        "pairs": dict(sorted(kinds.items())),
        "tested": sorted(across[2]),
        "leaking": sorted(across[0]),
        "shown": [
            {"images": [place(one), place(other)], "chance": chance, "bits": bits, "by": by}
            for one, other, chance, bits, by in pairs[:SHOWN]
        ],
    }


def _merged(found: dict[str, Pairs]) -> list[tuple[int, int, float, int, str]]:
    """(first, second, chance, bits, by whom) of each pair that any opinion has, surest first."""
    merged: dict[tuple[int, int], tuple[float, int, str]] = {}
    for name, pairs in found.items():
        columns = (pairs.first, pairs.second, pairs.chance, pairs.bits)
        for one, other, chance, bits in zip(*(each.tolist() for each in columns), strict=True):
            before = merged.get((one, other))
            both = (chance, bits, name)
            if before:
                both = (min(chance, before[0]), bits, f"{before[2]} and {name}")
            merged[one, other] = both
    listed = [(one, other, _rounded(c), bits, by) for (one, other), (c, bits, by) in merged.items()]
    return sorted(listed, key=lambda pair: (pair[2], pair[0], pair[1]))


def _features(part: str) -> Vectors | None:
    """A base's maps of a part, each averaged over the picture, or what the base has averaged
    itself; None where they are not kept."""
    path = paths.FEATURES / f"{part}_maps.npy"
    if not path.exists():
        return None
    maps = load_array(path)
    if maps.ndim == 2:
        return np.asarray(maps, "float32")
    steps = range(0, len(maps), _MAPS_STEP)
    means = [np.asarray(maps[i : i + _MAPS_STEP], "float32").mean(axis=(1, 2)) for i in steps]
    return np.concatenate(means) if means else np.zeros((0, maps.shape[-1]), "float32")


def _rounded(number: float) -> float:
    """Two digits: what a page shows, and the same on every processor."""
    return float(f"{number:.2g}") if number == number else 0.0
