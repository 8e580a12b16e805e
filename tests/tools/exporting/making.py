"""A workspace with a small trained model, its images and its reports, made once a module."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.evaluation.scores import score
from pipeline.evaluation.tables import write_tables
from pipeline.networks import build, saving
from pipeline.networks.predicting import both_columns, predict
from pipeline.runtime import files, paths
from tests.support import REPOSITORY, write_prepared
from tools import export
from tools.exporting import npm


def write_workspace(
    folder: Path,
    patch: pytest.MonkeyPatch,
    *,
    network: str = "tiny_cnn",
    classes: int = 3,
    epochs: int = 8,
    size: int = 8,
    channels: int = 1,
    counts: tuple[int, int, int] = (90, 30, 300),
    **options: Any,
) -> Any:
    """Make it in `folder`, go there, and return the model, trained for some epochs."""
    import keras

    folder.mkdir(parents=True, exist_ok=True)
    patch.chdir(folder)
    patch.setenv("DVC_ROOT", str(folder))
    patch.setenv("PYTHONPATH", str(REPOSITORY))
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID"):
        patch.delenv(name, raising=False)
    dataset = write_prepared(classes, size, channels, counts)
    keras.utils.set_random_seed(0)
    normalization = {"method": "minmax", "mean": [0.0], "variance": [1.0]}
    model = build(
        network, (size, size, channels), classes, **{"normalization": normalization, **options}
    )
    images, labels = (
        np.load(paths.PREPARED / f"train_{kind}.npy") for kind in ("images", "labels")
    )
    if epochs:
        two = classes == 2
        model.compile("adam", "binary_crossentropy" if two else "categorical_crossentropy")
        model.optimizer.learning_rate = 0.01
        model.fit(images, labels[:, 1:] if two else labels, 15, epochs, verbose=0)
    saving.save_model(model, paths.MODEL_FILE)
    write_reports(model, dataset["classes"])
    return model


def write_reports(model: Any, classes: list[str]) -> None:
    """metrics.json and the tables, as the stage `evaluate` writes them."""
    labels = np.load(paths.PREPARED / "test_labels.npy")
    probabilities = both_columns(predict(model, np.load(paths.PREPARED / "test_images.npy")))
    found = score(labels, probabilities)
    summary = {**found.summary, "parameters": {"total": 1, "trainable": 1}}
    files.write_json(paths.REPORTS / "metrics.json", summary)
    write_tables(found, classes, labels, probabilities)


def need_runtime() -> None:
    """Skip a test where the browsers' runtime is not there: tests fetch nothing."""
    if not npm.archive_file().is_file():
        pytest.skip(
            f"needs {npm.archive_file().name} in the cache; `python -m tools.export --to html` "
            "fetches it"
        )


def exported(*arguments: str) -> Path:
    """Export from the current folder; the folder that was written."""
    export.main([*arguments])
    (folder,) = Path("exports").iterdir()
    return folder.absolute()
