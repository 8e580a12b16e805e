"""The stage `evaluate` as a process, on a model whose every prediction is known."""

import csv
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from pipeline.networks import build, saving
from pipeline.runtime import files, paths
from tests.support import run_stage, set_parameters, write_prepared

pytestmark = pytest.mark.usefixtures("workspace")

MINMAX = {"method": "minmax", "mean": [], "variance": []}
OUTS = [
    *(paths.REPORTS / f"{name}.csv" for name in ("classes", "confusion", "predictions")),
    paths.REPORTS / "metrics.json",
]


def ready(classes: int = 3, **changes) -> keras.Model:
    """A workspace with prepared bars and an untrained model; returns the model."""
    set_parameters(threads=1, **changes)
    assert run_stage("params").returncode == 0
    write_prepared(classes=classes)
    keras.utils.set_random_seed(3)
    model = build("tiny_cnn", (8, 8, 1), classes, normalization=MINMAX)
    saving.save_model(model, paths.MODEL_FILE)
    return model


def evaluate() -> None:
    result = run_stage("evaluate")
    assert result.returncode == 0, result.stderr


def test_its_tables_agree_with_the_model_on_raw_pixels():
    model = ready()
    evaluate()
    images = np.load(paths.PREPARED / "test_images.npy")
    labels = np.load(paths.PREPARED / "test_labels.npy").argmax(axis=1)
    expected = model.predict(images, verbose=0)
    table = pd.read_csv(paths.REPORTS / "predictions.csv")
    assert list(table)[:4] == ["index", "name", "label", "prediction"]
    np.testing.assert_allclose(table.iloc[:, 4:], expected, atol=1e-6)
    assert table.prediction.tolist() == [f"class {i}" for i in expected.argmax(axis=1)]
    assert table.label.tolist() == [f"class {i}" for i in labels]
    metrics = files.read_json(paths.REPORTS / "metrics.json")
    assert list(metrics)[:5] == ["accuracy", "loss", "precision", "recall", "f1"]
    assert metrics["accuracy"] == pytest.approx((expected.argmax(axis=1) == labels).mean())
    assert metrics["parameters"] == {
        "total": model.count_params(),
        "trainable": model.count_params(),
    }
    confusion = pd.read_csv(paths.REPORTS / "confusion.csv", index_col="label")
    assert confusion.to_numpy().sum() == 30
    assert np.trace(confusion.to_numpy()) == round(metrics["accuracy"] * 30)
    classes = pd.read_csv(paths.REPORTS / "classes.csv")
    assert classes["class"].tolist() == ["class 0", "class 1", "class 2"]
    assert classes["support"].tolist() == [10, 10, 10]


def test_twice_gives_the_same_bytes():
    ready()
    digests = []
    for _ in range(2):
        evaluate()
        explained = sorted(paths.EXPLANATIONS.iterdir())
        assert explained
        digests.append(files.sha256(*OUTS, *explained))
    assert digests[0] == digests[1]


def test_two_classes_have_a_column_each():
    model = ready(classes=2)
    evaluate()
    with (paths.REPORTS / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    of_one = model.predict(np.load(paths.PREPARED / "test_images.npy"), verbose=0)[:, 0]
    found = np.array([[float(row["p_class 0"]), float(row["p_class 1"])] for row in rows])
    np.testing.assert_allclose(found[:, 1], of_one, atol=1e-6)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)


def test_an_image_that_is_not_there_cannot_be_explained():
    ready(explain_image=30)
    result = run_stage("evaluate")
    assert result.returncode == 1
    assert result.stderr == (
        "evaluate: explain_image: 30: the test part has 30 images, counted from 0 to 29\n"
    )
    assert not any(Path(out).exists() for out in OUTS)
