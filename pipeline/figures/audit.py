"""The audit of a person's own files (data/prepared/audit.json) in words."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.datasets.names import counted

_NAMED = 5  # files that a sentence names


def warnings(audit: Mapping[str, Any] | None) -> list[str]:
    """What makes the scores doubtful: the same image in two parts."""
    if not audit or not audit["leakage"]["groups"]:
        return []
    leakage = audit["leakage"]
    first = " and ".join(f"{image['name']} ({image['part']})" for image in leakage["names"][0][:4])
    return [
        f"{leakage['images']:,} files in {counted(leakage['groups'], 'group')} have the same bytes "
        f"as one in another part, so the scores are too good: the first are {first}."
    ]


def sentences(audit: Mapping[str, Any] | None) -> list[str]:
    """What the audit found, a sentence each."""
    if not audit:
        return []
    said = [_sizes(audit["images"], audit["sizes"])]
    unreadable = audit["unreadable"]
    if unreadable["count"]:
        named = [f"{image['name']} ({image['reason']})" for image in unreadable["images"]]
        said.append(
            f"{counted(unreadable['count'], 'image')} could not be read: "
            f"{_listed(named, unreadable['count'])}."
        )
    else:
        said.append("Every image could be read.")
    duplicates = audit["duplicates"]
    if duplicates["groups"]:
        groups = [" = ".join(names) for names in duplicates["names"]]
        said.append(
            f"{duplicates['images']:,} files in {counted(duplicates['groups'], 'group')} have the "
            f"same bytes: {_listed(groups, duplicates['groups'])}."
        )
    else:
        said.append("No two files have the same bytes.")
    if not audit["leakage"]["groups"]:
        said.append("No image stands in more than one part.")
    ignored = audit.get("ignored") or {"hidden": 0, "others": 0}
    if ignored["hidden"] or ignored["others"]:
        said.append(
            f"Passed over: {ignored['hidden']:,} hidden files and {ignored['others']:,} that are "
            f"no images or stand in no class folder, such as {_listed(ignored['names'])}."
        )
    return said


def _sizes(images: int, sizes: Mapping[str, Any]) -> str:
    common = sizes["most_common"][0]
    size = f"{common['width']}×{common['height']}"
    if sizes["different"] == 1:
        return f"All {images:,} images came as {size} pixels (width × height)."
    width, height = sizes["width"], sizes["height"]
    return (
        f"{images:,} images came in {sizes['different']:,} sizes, {width['min']:,} to "
        f"{width['max']:,} pixels wide (median {width['median']:,g}) and {height['min']:,} to "
        f"{height['max']:,} high (median {height['median']:,g}); most often {size} "
        f"({common['count']:,})."
    )


def _listed(names: Sequence[str], total: int | None = None) -> str:
    shown = ", ".join(names[:_NAMED])
    rest = (total or len(names)) - len(names[:_NAMED])
    return f"{shown} and {rest:,} more" if total and rest else shown
