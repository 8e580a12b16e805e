"""A photograph on the disk gets the answer that its prepared pixels got, however it is resized."""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest

from pipeline.networks import build, saving
from pipeline.tracking import store
from tests.pipeline.datasets.outs import arrays, described, split_table
from tests.pipeline.datasets.pictures import download, png, prepare, write_folder
from tests.tools.comparison.recording import track
from tests.tools.serving.training import MINMAX, MODEL, record
from tools import predict, register

CLASSES = ["cat", "dog", "ox"]
SHAPE = (8, 12, 3)


def trained(method: str, folder: Path) -> tuple[str, Any]:
    """Prepare photographs of several sizes, and save a model of their shape: the name of a test
    image and what the model says of its prepared pixels."""
    contents = {
        f"{label}/{number}.png": png(number, 30 + 7 * number, 41 - 5 * number)
        for label in CLASSES
        for number in range(6)
    }
    download(write_folder(folder, contents))
    assert prepare(image_size=[8, 12], resize=method).status == 0
    keras.utils.set_random_seed(0)
    model = build("tiny_cnn", SHAPE, 3, normalization=MINMAX)
    model.layers[-1].set_weights([weights * 4 for weights in model.layers[-1].get_weights()])
    saving.save_model(model, MODEL)
    row = next(row for row in split_table() if row["part"] == "test")
    return row["name"], model.predict(arrays("test")[0][:1], verbose=0)[0]


def answer(capsys: Any, *arguments: str) -> list[float]:
    capsys.readouterr()
    assert predict.main([*arguments, "--json", "--top", "3"]) == 0
    top = json.loads(capsys.readouterr().out)["top"]
    found = {one["class"]: one["probability"] for one in top}
    return [found[label] for label in CLASSES]


@pytest.mark.parametrize("method", ["stretch", "crop", "pad"])
def test_from_the_workspace(workspace: Path, capsys: Any, method: str) -> None:
    folder = workspace.parent / "photos"
    name, expected = trained(method, folder)
    np.testing.assert_allclose(answer(capsys, str(folder / name)), expected, atol=1e-6)


def test_from_a_run_and_from_the_registry(
    workspace: Path, tmp_path_factory: Any, monkeypatch: Any, capsys: Any
) -> None:
    import mlflow

    track(workspace, tmp_path_factory, monkeypatch)
    folder = workspace.parent / "photos"
    name, expected = trained("pad", folder)
    monkeypatch.setenv("DVC_EXP_NAME", "padded")
    record([0.5], shape=SHAPE, dataset=described()["name"], resize=described()["resize"])
    monkeypatch.delenv("DVC_EXP_NAME")
    register.main([])
    photo = str(folder / name)
    trained("stretch", folder)  # the workspace is another by now
    assert np.abs(np.subtract(answer(capsys, photo), expected)).max() > 1e-3
    for flags in (["--run", "padded"], ["--best"]):
        np.testing.assert_allclose(answer(capsys, photo, *flags), expected, atol=1e-6)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store.tracking_uri())
    loaded = mlflow.pyfunc.load_model("models:/photos@best")
    assert loaded.metadata.metadata["resize"] == {"method": "pad", "grey": 128}
    frame = loaded.predict(pd.DataFrame({"image": [Path(photo).read_bytes()]}))
    found = frame.loc[0, [f"p_{label}" for label in CLASSES]].tolist()
    np.testing.assert_allclose(found, expected, atol=1e-5)
