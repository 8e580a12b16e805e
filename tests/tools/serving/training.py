"""Runs with a real (untrained) model in MLflow, and image files for it."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pipeline.evaluation import coverage, unlike
from pipeline.evaluation.reference import Reference, beside
from pipeline.networks import build, saving
from pipeline.networks.predicting import predict
from pipeline.runtime import files, paths
from pipeline.tracking import start_run

CLASSES = ["cat", "dog", "ox"]
MODEL = paths.MODEL / "model.keras"
MINMAX = {"method": "minmax", "mean": [0.0], "variance": [1.0]}


def write_model(channels: int = 1, classes: list[str] | None = None, seed: int = 0) -> Any:
    """data/model and what is needed of data/prepared; returns the model."""
    import keras

    classes = classes or CLASSES
    keras.utils.set_random_seed(seed)
    model = build("tiny_cnn", (8, 8, channels), len(classes), normalization=MINMAX)
    model.layers[-1].set_weights([w * 4 for w in model.layers[-1].get_weights()])  # surer of itself
    saving.save_model(model, MODEL)
    described = {"name": "bars", "classes": classes, "digest": "sha256:one"}
    files.write_json(paths.PREPARED / "dataset.json", described)
    return saving.load_model(MODEL)


def write_reference(model: Any, pixels: np.ndarray, labels: np.ndarray) -> Reference:
    """A reference beside the model, to which these pictures, uint8 (n, h, w, c), are usual."""
    from pipeline.networks.answering import answering, divided, features_layer, outputs_of
    from pipeline.networks.building import single_view

    seen = single_view(model)
    layer = features_layer(seen)
    rows, features = divided(predict(answering(seen, layer), pixels), outputs_of(model))
    usual = unlike.fit(features, features)
    reference = Reference(1.0, False, coverage.nonconformity(rows, labels), layer, usual)
    reference.save(beside(MODEL))
    return reference


def odd_picture(channels: int = 1, size: int = 8) -> np.ndarray:
    """uint8 (size, size, channels), such as no `picture` is."""
    return np.repeat(np.eye(size, dtype="uint8")[..., None] * np.uint8(255), channels, axis=2)


def record(
    accuracies: list[float], *, classes: list[str] | None = None, data: str = "sha256:one",
    validated: bool = True, resize: dict[str, Any] | None = None,
    shape: tuple[int, ...] = (8, 8, 1), **parameters: Any,
) -> str:  # fmt: skip
    """A finished run with the model of the workspace; returns its id."""
    given = {"dataset": "bars", "model": "tiny_cnn", "best_weights": False, **parameters}
    run = start_run(given, {"data_digest": data})
    header = ["epoch", "accuracy", "loss"] + ["val_accuracy", "val_loss"] * validated
    rows = [[i + 1, 0.5, 0.5] + [a, 1 - a] * validated for i, a in enumerate(accuracies)]
    files.write_csv(paths.REPORTS / "history.csv", header, rows)
    run.log_artifact(paths.REPORTS / "history.csv")
    run.log_model(MODEL, np.zeros((1, *shape), "uint8"), classes or CLASSES, resize)
    run.log_metrics({"test_accuracy": 1 - accuracies[-1]})  # choosing by it would choose another
    run.finish()
    assert run.run_id
    return run.run_id


def picture(seed: int, mode: str = "L", size: int = 8) -> Image.Image:
    """A picture of large squares, so that a JPEG keeps it nearly."""
    shape = (size // 2, size // 2) + ((3,) if mode != "L" else ())
    values = np.random.default_rng(seed).integers(0, 256, shape, dtype="uint8")
    return Image.fromarray(values).resize((size, size), Image.Resampling.NEAREST).convert(mode)


def encoded(image: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def write_pictures(folder: Path, count: int) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    found = [folder / f"{i}.png" for i in range(count)]
    for i, path in enumerate(found):
        path.write_bytes(encoded(picture(i)))
    return found
