"""From the names of files to classes, parts and labels: the rules for a data set of one's own.

    <class>/<image>, or train/<class>/<image> with validation/ and test/ beside

Folders around the whole are passed over, folders within a class count for
that class, and files that are no images are left out and named.
"""

from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from operator import attrgetter
from typing import NamedTuple

from pipeline.datasets.names import IMAGE_ENDINGS, counted, is_image, listed, shown
from pipeline.datasets.registry import ARCHIVE_ENDINGS
from pipeline.datasets.tree import Entry, Tree, twice
from pipeline.errors import PipelineError

PART_FOLDERS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}


class Image(NamedTuple):
    """One image: its name below the whole, its class, and its published part or ''."""

    name: str
    label: int
    part: str
    entry: Entry


@dataclass
class Layout:
    """`images` stand in the order of their names; `ignored` are files that are no images or
    stand in no class folder."""

    classes: list[str]
    images: list[Image]
    ignored: list[str]


def arrange(tree: Tree) -> Layout:
    """Find classes and parts in a folder or an archive.

    Raises:
        PipelineError: no images, no class folders, one class, an empty class,
            names that differ in case alone, or parts that are not complete.
    """
    title = tree.title
    entries = sorted(tree.files, key=attrgetter("name"))
    images = [entry for entry in entries if is_image(entry.name)]
    ignored = [entry.name for entry in entries if not is_image(entry.name)]
    if not images:
        raise PipelineError(_no_images(title, ignored))
    for one, next_one in pairwise(images):
        if one.name == next_one.name:
            raise twice(title, one.name)
    root = _root(images, tree.folders)
    level, parts = _parts(title, images, root)
    found = []
    members: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for folder in tree.folders:
        steps = folder.removeprefix(root).split("/") if folder.startswith(root) else []
        if len(steps) == level + 1 and (not level or steps[0] in parts):
            members[steps[level]]
    for entry in images:
        name = entry.name.removeprefix(root)
        steps = name.split("/")
        if len(steps) < level + 2:
            ignored.append(entry.name)
            continue
        part = parts[steps[0]] if level else ""
        members[steps[level]][part] += 1
        found.append((name, steps[level], part, entry))
    _check(title, members, "train" if level else "")
    classes = sorted(members)
    labels = {name: label for label, name in enumerate(classes)}
    return Layout(
        classes,
        [Image(name, labels[klass], part, entry) for name, klass, part, entry in found],
        sorted(name.removeprefix(root) for name in ignored),
    )


def _root(images: list[Entry], folders: set[str]) -> str:
    """The folders around the whole, 'photos/' say: each the only one, and no class."""
    root = ""
    while True:
        tops = {name[len(root) :].split("/")[0] for name in folders if name.startswith(root)}
        nearest = min(entry.name.count("/", len(root)) for entry in images)
        if len(tops) != 1 or nearest < 2 or (top := tops.pop()).lower() in PART_FOLDERS:
            return root
        root += f"{top}/"


def _parts(title: str, images: list[Entry], root: str) -> tuple[int, dict[str, str]]:
    """At which level the class folders stand, 0 or 1, and at 1 each top folder's part.

    A folder of images that is called train is a class among others: trains.
    """
    deep: set[str] = set()
    flat: dict[str, int] = defaultdict(int)
    for entry in images:
        steps = entry.name.removeprefix(root).split("/")
        if len(steps) > 2:
            deep.add(steps[0])
        elif len(steps) == 2:
            flat[steps[0]] += 1
    named = sorted(top for top in deep if top.lower() in PART_FOLDERS)
    if not named:
        return 0, {}
    beside = sorted(top for top in deep | set(flat) if top.lower() not in PART_FOLDERS)
    if beside:
        raise PipelineError(
            f"{title}: {listed(beside)} beside {listed(named)}; put all class folders into "
            "train, validation and test, or none"
        )
    for top in sorted(flat):
        if top not in deep:
            raise PipelineError(
                f"{title}: {top}: {counted(flat[top], 'image')} in no class folder; "
                f"expected {top}/<class>/<image>"
            )
    parts: dict[str, str] = {}
    for top in named:
        part = PART_FOLDERS[top.lower()]
        if part in parts.values():
            twin = next(name for name in parts if parts[name] == part)
            raise PipelineError(f"{title}: {twin} and {top} both name the {part} part; keep one")
        parts[top] = part
    if "train" not in parts.values():
        raise PipelineError(f"{title}: {listed(named)} without train; expected train/<class>/…")
    return 1, parts


def _check(title: str, members: dict[str, dict[str, int]], part: str) -> None:
    """Refuse classes that no classifier can be trained on; `part` is the one to train on."""
    if not members:
        raise PipelineError(
            f"{title}: the images stand in no class folders; expected <class>/<image>"
        )
    twins: dict[str, list[str]] = defaultdict(list)
    for name in sorted(members):
        twins[name.casefold()].append(name)
    for names in twins.values():
        if len(names) > 1:
            raise PipelineError(
                f"{title}: the class folders {listed(names)} differ in upper and lower case "
                "alone; rename or merge them"
            )
    empty = sorted(name for name, counts in members.items() if not counts.get(part))
    if empty and len(empty) < len(members):
        folders = [f"{part}/{name}" if part else name for name in empty]
        raise PipelineError(
            f"{title}: no images in class folder {listed(folders)} (files that end in .jpg, "
            ".png …); add some or remove the folder"
        )
    if len(members) == 1:
        raise PipelineError(
            f"{title}: one class ({shown(next(iter(members)))}); "
            "a classifier needs at least two class folders"
        )


def _no_images(title: str, others: list[str]) -> str:
    archives = [name for name in others if name.lower().endswith(ARCHIVE_ENDINGS)]
    if archives:
        return f"{title}: holds archives ({listed(archives, 3)}) and no images; unpack those first"
    beside = f", only {listed(others, 3)}" if others else ""
    some = [".jpg", ".png", ".webp"]
    return (
        f"{title}: no images in it{beside}; expected class folders with files that end in "
        f"{', '.join(some)} or another of {len(IMAGE_ENDINGS)} known endings"
    )
