"""model.json: what a program needs to know of the files beside it. It holds no dates."""

import importlib.metadata
import json
from typing import Any

from pipeline.runtime import source as code
from tools.exporting import formats
from tools.exporting.source import Source
from tools.serving.engine import PROBABILITIES

FILE = "model.json"
VERSION = 1
PACKAGES = ("keras", "tensorflow", "tensorflow-cpu", "tf2onnx", "onnx", "onnxruntime", "openvino")
# What decides the bytes of the files.
_PROGRAMS = ("tools.exporting.writing", *(f"tools.exporting.to_{name}" for name in formats.ALL))
# Of dataset.json, where it says nothing.
STRETCH = {"method": "stretch"}


def describe(source: Source) -> dict[str, Any]:
    """model.json without its files, which `writing` adds as they are kept."""
    height, width, channels = source.dataset["image_shape"]
    run = source.run
    return {
        "version": VERSION,
        "name": source.name,
        "title": source.dataset.get("title"),
        "network": source.parameters.get("model"),
        "classes": list(source.model.classes),
        "input": {
            "name": "pixels",
            "dtype": "uint8",
            "layout": "NHWC",
            "batch": "any",
            "height": height,
            "width": width,
            "channels": channels,
            "colour": "grey" if channels == 1 else "RGB",
            "range": [0, 255],
        },
        # As pipeline.datasets has it: upright by EXIF, on white where transparent, then grey
        # or RGB, then this.
        "resize": {**source.dataset.get("resize", STRETCH), "interpolation": "bilinear"},
        "output": {
            "name": PROBABILITIES,
            "dtype": "float32",
            "meaning": "a probability for each class, in the order of `classes`",
        },
        "digests": {
            "model": source.digest,
            "data": source.dataset.get("digest"),
            "code": code.digest(code.closure(*_PROGRAMS))[:16],
        },
        "run": {
            "name": run.name if run else None,
            "mlflow": run.id if run and run.source == "MLflow" else None,
            "dvc": list(run.experiments) if run else [],
            "commit": run.commit if run else None,
        },
        "metrics": metrics(source),
        "licences": {
            "data": source.dataset.get("licence"),
            "pretrained_weights": source.weights.get("licence") or None,
        },
        "pretrained_weights": source.weights.get("pretrained_weights"),
        "made_with": _versions(),
        "files": {},
    }


def metrics(source: Source) -> dict[str, Any]:
    """The scores on the test part, as reports/metrics.json has them."""
    if "metrics.json" in source.reports:
        found = json.loads(source.reports["metrics.json"])
        return {name: found[name] for name in found if name != "parameters"}
    scores = source.run.metrics if source.run else {}
    return {
        name.removeprefix("test_"): value
        for name, value in sorted(scores.items())
        if name.startswith("test_")
    }


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
