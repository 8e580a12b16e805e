"""The exported file of a model, for programs that do without Keras. Imports nothing heavy."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.datasets.names import shown
from pipeline.runtime import files

FOLDER = Path("exports")
MODEL = "model.onnx"
TOLERANCE = 1e-4


@dataclass(frozen=True)
class Exported:
    """An ONNX file that gives what a model gives; `said` is why there is none (path None)."""

    path: Path | None
    shape: tuple[int, int, int] = (0, 0, 0)
    classes: tuple[str, ...] = ()
    said: str = ""


def exported(model: Path, layer: str | None) -> Exported:
    """The ONNX file that `tools.export` made of this saved model, if there is one.

    It counts when model.json has the model's digest and says that they agreed, and
    the file has the digest that stands there.

    Args:
        layer: whose features the file must give, too; None for none.
    """
    digest = files.sha256(model)
    others = []
    for folder, described in _described():
        entry = described["files"].get(MODEL)
        if entry is None:
            continue
        if described["digests"]["model"] != digest:
            others.append(folder)
            continue
        path = folder / MODEL
        if not entry["agrees"]["largest_difference"] <= TOLERANCE:
            return Exported(None, said=f"{path} does not agree with the model")
        if layer is not None and entry.get("features", {}).get("layer") != layer:
            return Exported(None, said=f"{shown(str(path))} does not say what is unlike training")
        if not path.is_file() or files.sha256(path) != entry["sha256"]:
            return Exported(None, said=f"{shown(str(path))} is not the file that was checked")
        taken = described["input"]
        shape = (taken["height"], taken["width"], taken["channels"])
        return Exported(path, shape, tuple(described["classes"]))
    if others:
        names = ", ".join(shown(str(folder)) for folder in others)
        return Exported(None, said=f"{names}: of another or an older model")
    return Exported(None)


def _described() -> Iterator[tuple[Path, dict[str, Any]]]:
    """The folders of exports/ with their model.json, damaged ones left out."""
    for path in sorted(FOLDER.glob("*/model.json")):
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            if isinstance(found["files"], dict) and found["digests"]["model"]:
                yield path.parent, found
        except (OSError, ValueError, KeyError, TypeError):
            continue
