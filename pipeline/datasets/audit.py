"""data/prepared/audit.json: what a person would want to know of a data set of their own."""

from collections import Counter
from typing import Any

import numpy as np

from pipeline.datasets.index import Index
from pipeline.datasets.pixels import Indices, Sizes
from pipeline.datasets.raw import RawDataset

# Lists stop here; the numbers beside them are of all.
MOST_GROUPS = 100
MOST_SIZES = 10


def duplicates(index: Index, rows: dict[str, Indices]) -> list[list[tuple[str, str]]]:
    """Groups of images with the same bytes: (name, part) of each, in the order of the names."""
    if index.names is None or index.sha256 is None:
        return []
    chosen = np.concatenate(list(rows.values()))
    parts = np.repeat(np.arange(len(rows)), [len(part) for part in rows.values()])
    _, group, counts = np.unique(index.sha256[chosen], return_inverse=True, return_counts=True)
    members: dict[int, list[tuple[str, str]]] = {}
    for at in np.flatnonzero(counts[group] > 1).tolist():
        part = list(rows)[parts[at]]
        members.setdefault(int(group[at]), []).append((index.names[chosen[at]], part))
    return sorted(sorted(names) for names in members.values())


def leaks(groups: list[list[tuple[str, str]]]) -> list[list[tuple[str, str]]]:
    """The groups of the same image that stand in more than one part."""
    return [group for group in groups if len({part for _, part in group}) > 1]


def audit(
    raw: RawDataset,
    counts: dict[str, list[int]],
    sizes: Sizes,
    unreadable: list[tuple[str, str]],
    groups: list[list[tuple[str, str]]],
) -> dict[str, Any]:
    """The whole of audit.json.

    Args:
        raw: data/raw/dataset.json.
        counts: images of each class, by part.
        sizes: width and height of every image as it came, int32 (N, 2).
        unreadable: name and reason of each image that was left out.
        groups: see `duplicates`.
    """
    leaking = leaks(groups)
    return {
        "classes": {
            name: {part: counts[part][label] for part in counts}
            for label, name in enumerate(raw.classes)
        },
        "images": len(sizes),
        "sizes": _sizes(sizes),
        "unreadable": {
            "count": len(unreadable),
            "images": [{"name": name, "reason": reason} for name, reason in unreadable],
        },
        "duplicates": {
            "groups": len(groups),
            "images": sum(len(group) for group in groups),
            "names": [[name for name, _ in group] for group in groups[:MOST_GROUPS]],
        },
        "leakage": {
            "groups": len(leaking),
            "images": sum(len(group) for group in leaking),
            "names": [
                [{"name": name, "part": part} for name, part in group]
                for group in leaking[:MOST_GROUPS]
            ],
        },
        "ignored": raw.ignored.model_dump() if raw.ignored else None,
    }


def _sizes(sizes: Sizes) -> dict[str, Any]:
    """How wide and how high the images came, in pixels."""
    common = Counter(map(tuple, sizes.tolist())).most_common()
    common.sort(key=lambda item: (-item[1], item[0]))
    sides = {
        side: {
            "min": int(values.min()),
            "median": float(np.median(values)),
            "max": int(values.max()),
        }
        for side, values in (("width", sizes[:, 0]), ("height", sizes[:, 1]))
    }
    return {
        **sides,
        "different": len(common),
        "most_common": [
            {"width": width, "height": height, "count": count}
            for (width, height), count in common[:MOST_SIZES]
        ],
    }
