"""A model for ONNX Runtime, made once and kept, where it agrees with Keras.

    python -m tools.serving.conversion MODEL TARGET

runs in a process of its own, so that neither the server nor its workers import
TensorFlow. Under .state/serving is then TARGET with a description beside it, or the
description alone, which says why not.
"""

import importlib.metadata
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.errors import PipelineError
from pipeline.evaluation.reference import Reference, beside
from pipeline.runtime import files, paths, source
from tools.exporting import found
from tools.exporting.checking import features_apart

PACKAGES = ("keras", "onnx", "onnxruntime", "tf2onnx")
CHECKED = 32  # pictures


@dataclass(frozen=True)
class Converted:
    """`path` of the ONNX file, None where Keras has to answer, and what is `said` of it.

    The model takes uint8 pixels of `shape` (height, width, channels) and knows so many
    `classes`.
    """

    path: Path | None
    shape: tuple[int, int, int]
    classes: int
    said: str


def converted(model: Path) -> Converted:
    """The ONNX file of a model: that of `make export`, else of an earlier conversion or a new one.

    Raises:
        PipelineError: the model cannot be loaded, with the converter's last line.
    """
    reference = Reference.load(beside(model))
    layer = reference.layer if reference else None
    made = found.exported(model, layer)
    if made.path is not None:
        return Converted(made.path, made.shape, len(made.classes), f"is {made.path}")
    versions = [f"{name}=={importlib.metadata.version(name)}" for name in PACKAGES]
    code = source.digest(source.closure(__name__), *versions, layer or "")
    target = paths.state() / "serving" / f"{files.sha256(model)[:16]}-{code[:16]}.onnx"
    described = target.with_suffix(".json")
    if not described.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            [sys.executable, "-m", __name__, str(model.resolve()), str(target)],
            capture_output=True, text=True, cwd=source.ROOT,
        )  # fmt: skip
        if done.returncode:
            last = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
            raise PipelineError(f"{model}: cannot be loaded: {last}")
    for kept in target.parent.glob(f"{target.stem}.*"):
        kept.touch()  # `make gc` looks when it was used last
    about = files.read_json(described)
    height, width, channels = about["shape"]
    path = target if target.is_file() else None
    return Converted(path, (height, width, channels), about["classes"], about["said"])


def write(model_file: Path, target: Path) -> None:
    """Convert, compare, and write what came of it."""
    from pipeline import backend

    backend.configure(0, 1, deterministic=True, dtype="float32")
    from pipeline.networks.saving import load_model
    from tools.exporting import graph, to_onnx
    from tools.serving import engine

    reference = Reference.load(beside(model_file))
    keras = engine.of_keras(load_model(model_file), reference)
    pixels = pictures(keras.shape)
    expected, *seen = keras.outputs(pixels)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        made = Path(folder) / target.name
        try:
            layer = reference.layer if reference else None
            to_onnx.write(graph.with_features(graph.rebuilt(model_file), layer), made)
            given, *features = engine.of_onnx(made, 1, reference).outputs(pixels)
            difference = max([apart(given, expected), *map(features_apart, features, seen)])
            agrees = difference <= found.TOLERANCE
            said = f"differs from Keras by {difference:.1e}"
        except Exception as error:  # a layer that the converter does not know, say
            agrees, said = False, " ".join(f"cannot be made: {error}".split())[:200]
        if agrees:
            made.replace(target)
            said = f"agrees with Keras to {difference:.0e} on {CHECKED} pictures"
    description = {"shape": list(keras.shape), "classes": expected.shape[1], "said": said}
    files.write_json(target.with_suffix(".json"), description)


def pictures(shape: tuple[int, int, int]) -> np.ndarray:
    """Smooth pictures and noise, uint8 (CHECKED, *shape), the same at every call."""
    random = np.random.default_rng(0)
    height, width, channels = shape
    coarse = random.integers(0, 256, (CHECKED, 4, 4, channels), dtype="uint8")
    rows, columns = (np.arange(size) * 4 // size for size in (height, width))
    smooth = coarse[:, rows][:, :, columns]
    noise = random.integers(0, 256, smooth.shape, dtype="uint8")
    return np.concatenate([smooth[::2], smooth[1::2] // 2 + noise[1::2] // 2])


def apart(given: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference of a probability; infinite where a class is another one."""
    difference = float(np.abs(given - expected).max())
    rows, best = np.arange(len(given)), given.argmax(axis=1)
    lost = expected.max(axis=1) - expected[rows, best]
    return float("inf") if (lost > found.TOLERANCE).any() else difference


if __name__ == "__main__":
    write(Path(sys.argv[1]), Path(sys.argv[2]))
