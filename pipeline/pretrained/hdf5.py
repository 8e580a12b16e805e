"""The layers in an HDF5 file of Keras', of any of its layouts, and which of a base's they are."""

from typing import Any

import h5py

from pipeline.pretrained.arrays import Layout

# A layer's name and its arrays, in the order of its weights, in the file's order.
Layers = list[tuple[str, list[h5py.Dataset]]]


def layers_of(file: h5py.File, wanted: Layout) -> dict[str, list[h5py.Dataset]]:
    """The arrays of each of the base's layers; layers that are not found are left out.

    By the layers' names. Keras numbers the layers that nobody named by how many the process
    had made before: of those the first in the file is the base's first. Where that is not
    enough, as in Keras' oldest files, as many layers as the base has are its layers in order,
    which is how Keras reads them.

    Raises:
        ValueError: two layers of one name.
    """
    root = file.get("model_weights", file)
    in_order = bool(_texts(root, "layer_names"))
    found = _legacy(root) if in_order else _today(file)
    names = [name for name, _ in found]
    twice = next((name for name in wanted.layers if names.count(name) > 1), None)
    if twice:
        raise ValueError(f"two layers are called {twice}")
    named = dict(found)
    there = {name: named[name] for name in wanted.layers if name in named}
    if len(there) == len(wanted.layers) or not wanted.automatic:
        return there
    if in_order and len(found) == len(wanted.layers):
        return dict(zip(wanted.layers, named.values(), strict=True))
    return there | {ours: named[name] for ours, name in _renumbered(named, wanted).items()}


def _renumbered(named: dict[str, Any], wanted: Layout) -> dict[str, str]:
    """For each of the base's layers that has a number for a name, the one in the file."""
    result: dict[str, str] = {}
    for words in {words for words, _ in wanted.automatic.values()}:
        ours = [name for name, (kind, _) in wanted.automatic.items() if kind == words]
        theirs = [name for name in named if _number(name, words) is not None]
        ours.sort(key=lambda name: wanted.automatic[name][1])
        theirs.sort(key=lambda name: _number(name, words) or 0)
        result |= dict(zip(ours, theirs, strict=False))
    return result


def _number(name: str, words: str) -> int | None:
    """7 of conv2d_7, 0 of conv2d; None for a name that does not begin with the words."""
    rest = name.removeprefix(words)
    if rest == name or not (not rest or (rest.startswith("_") and rest[1:].isdecimal())):
        return None
    return int(rest[1:] or 0)


def _today(file: h5py.File) -> Layers:
    """Keras 3: a group `vars` a layer, whose attribute is the layer's name, of arrays 0, 1 …"""
    found: Layers = []

    def visit(path: str, item: h5py.Group | h5py.Dataset) -> None:
        is_layer = isinstance(item, h5py.Group) and path.endswith("/vars") and len(item)
        if is_layer and not path.startswith("optimizer"):
            name = item.attrs.get("name") or path.split("/")[-2]
            found.append((str(name), [item[key] for key in sorted(item, key=int)]))

    file.visititems(visit)
    return found


def _legacy(root: h5py.Group) -> Layers:
    """Keras 1 and 2: the attributes say which groups are layers, and which arrays are theirs.

    Of a model within the model one group has all arrays, each under its layer's name.
    """
    found: Layers = []
    for layer in _texts(root, "layer_names"):
        group = root[layer]
        paths = _texts(group, "weight_names")
        owners = [path.split("/")[-2] if "/" in path else layer for path in paths]
        if len(set(owners)) == 1:
            owners = [layer] * len(paths)
        arrays: dict[str, list[h5py.Dataset]] = {}
        for owner, path in zip(owners, paths, strict=True):
            arrays.setdefault(owner, []).append(group[path])
        found += arrays.items()
    return found


def _texts(group: h5py.Group, name: str) -> list[str]:
    """An attribute that is a list of texts; a long one is several: name0, name1 …"""
    parts = [name] if name in group.attrs else []
    if not parts:
        parts = [
            part for place in range(len(group.attrs)) if (part := f"{name}{place}") in group.attrs
        ]
    texts = [text for part in parts for text in group.attrs[part]]
    return [text.decode() if isinstance(text, bytes) else str(text) for text in texts]
