"""`tools.predict` asks the exported model, where it is the same, without TensorFlow."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline.networks.predicting import predict
from pipeline.runtime import files, paths
from tests.tools.exporting.making import exported, write_workspace
from tests.tools.serving.training import encoded, picture
from tools import predict as program
from tools.exporting import found

HEAVY = ("keras", "tensorflow", "mlflow", "pandas", "sqlalchemy", "pydantic")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        model = write_workspace(tmp_path_factory.mktemp("predicted"), patch, epochs=2)
        folder = exported("--to", "onnx")
        Path("photo.png").write_bytes(encoded(picture(0)))
        yield folder, model


@pytest.fixture
def here(made, monkeypatch) -> Path:
    monkeypatch.chdir(made[0].parents[1])
    return made[0]


def test_without_tensorflow(here, made):
    code = (
        "import runpy, sys; sys.argv = ['predict', 'photo.png', '--json', '--top', '3']\n"
        "try: runpy.run_module('tools.predict', run_name='__main__')\n"
        "except SystemExit as end: assert not end.code\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    answer, heavy = done.stdout.splitlines()
    assert heavy == "[]"
    (expected,) = predict(made[1], np.asarray(picture(0))[None, ..., None])
    shares = {one["class"]: one["probability"] for one in json.loads(answer)["top"]}
    np.testing.assert_allclose([shares[f"class {i}"] for i in range(3)], expected, atol=1e-6)


def described(folder: Path, change) -> str:
    """Why the export does not count after a change of model.json; '' where it does."""
    path = folder / "model.json"
    before = path.read_text()
    values = json.loads(before)
    change(values)
    files.write_json(path, values)
    try:
        exported = found.exported(paths.MODEL_FILE)
        assert exported.path is None or exported.said == ""
        return exported.said if exported.path is None else "used"
    finally:
        path.write_text(before)


def test_when_it_does_not_count(here, made):
    assert described(here, lambda values: None) == "used"
    name = f"exports/{here.name}"
    assert (
        described(here, lambda values: values["digests"].update(model="1"))
        == f"{name}: of another or an older model"
    )
    assert (
        described(here, lambda values: values["files"]["model.onnx"].update(sha256="1"))
        == f"{name}/model.onnx is not the file that was checked"
    )
    agrees = {"images": 1, "largest_difference": 0.1}
    assert (
        described(here, lambda values: values["files"]["model.onnx"].update(agrees=agrees))
        == f"{name}/model.onnx does not agree with the model"
    )
    assert described(here, lambda values: values["files"].clear()) == ""


def test_an_older_export_is_said_and_keras_answers(here, monkeypatch, capsys):
    monkeypatch.setattr(
        found, "exported", lambda model: found.Exported(None, said="exports/x: of an older model")
    )
    assert program.main(["photo.png"]) == 0
    printed = capsys.readouterr()
    assert "exports/x: of an older model; `make export` writes it anew" in printed.err
    assert printed.out.startswith("photo.png: class ")
