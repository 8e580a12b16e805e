"""`tools.predict` asks the exported model, where it is the same, without TensorFlow."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.evaluation.reference import Reference, beside
from pipeline.networks.answering import answering, divided
from pipeline.networks.predicting import predict
from pipeline.runtime import files, paths
from tests.tools.exporting.making import exported, write_workspace
from tests.tools.serving.training import encoded, odd_picture, picture, write_reference
from tools import predict as program
from tools.exporting import found
from tools.serving.engine import of_onnx

HEAVY = ("keras", "tensorflow", "mlflow", "pandas", "sqlalchemy", "pydantic")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        model = write_workspace(tmp_path_factory.mktemp("predicted"), patch, epochs=2)
        usual = np.stack([np.asarray(picture(i))[..., None] for i in range(40)])
        write_reference(model, usual, np.arange(40) % 3)
        folder = exported("--to", "onnx")
        Path("photo.png").write_bytes(encoded(picture(0)))
        Path("odd.png").write_bytes(encoded(Image.fromarray(odd_picture()[..., 0])))
        yield folder, model


@pytest.fixture
def here(made, monkeypatch) -> Path:
    monkeypatch.chdir(made[0].parents[1])
    return made[0]


def without_tensorflow(*arguments: str) -> list[str]:
    """The lines of the program in a process that imports nothing heavy."""
    code = (
        f"import runpy, sys; sys.argv = {['predict', *arguments]}\n"
        "try: runpy.run_module('tools.predict', run_name='__main__')\n"
        "except SystemExit as end: assert not end.code\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    *answers, heavy = done.stdout.splitlines()
    assert heavy == "[]"
    return answers


def test_the_probabilities_without_tensorflow(here, made):
    answers = [
        json.loads(line)
        for line in without_tensorflow("photo.png", "odd.png", "--json", "--top", "3")
    ]
    pixels = np.stack([np.asarray(picture(0))[..., None], odd_picture()])
    for answer, expected in zip(answers, predict(made[1], pixels), strict=True):
        shares = {one["class"]: one["probability"] for one in answer["top"]}
        np.testing.assert_allclose([shares[f"class {i}"] for i in range(3)], expected, atol=1e-6)
    assert [answer["unlike_training"] for answer in answers] == [False, True]


def test_the_same_lines_as_keras(here, monkeypatch, capsys):
    """With a promise, in lines and in a table."""
    asked = ("photo.png", "odd.png")
    of_onnx = without_tensorflow(*asked, "--coverage", "0.8")
    without_tensorflow(*asked, "--csv", "onnx.csv")
    monkeypatch.setattr(found, "exported", lambda model, layer: found.Exported(None))
    assert program.main([*asked, "--coverage", "0.8"]) == 0
    assert capsys.readouterr().out.splitlines() == of_onnx
    assert program.main([*asked, "--csv", "keras.csv"]) == 0
    tables = []
    for name in ("onnx.csv", "keras.csv"):
        with Path(name).open(newline="") as file:
            tables.append(list(csv.DictReader(file)))
    for one, other in zip(*tables, strict=True):
        assert list(one) == list(other)
        for column in ("image", "class", "unlike_training"):
            assert one[column] == other[column]
    assert [row["unlike_training"] for row in tables[0]] == ["false", "true"]


def test_the_features_are_the_pipelines(here, made):
    reference = Reference.load(beside(paths.MODEL_FILE))
    assert reference is not None
    images = np.load(paths.PREPARED / "test_images.npy")[:70]
    asked = of_onnx(here / "model.onnx", 1, reference)
    expected = divided(predict(answering(made[1], reference.layer), images), 3)
    for given, wanted in zip(asked.outputs(images), expected, strict=True):
        np.testing.assert_allclose(given, wanted, atol=1e-5)
    entry = files.read_json(here / "model.json")["files"]["model.onnx"]["features"]
    assert (entry["layer"], entry["size"]) == (reference.layer, expected[1].shape[1])


def described(folder: Path, change) -> str:
    """Why the export does not count after a change of model.json; '' where it does."""
    path = folder / "model.json"
    before = path.read_text()
    values = json.loads(before)
    change(values)
    files.write_json(path, values)
    try:
        exported = found.exported(paths.MODEL_FILE, "conv_2")
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
    assert (
        described(here, lambda values: values["files"]["model.onnx"].pop("features"))
        == f"{name}/model.onnx does not say what is unlike training"
    )
    assert described(here, lambda values: values["files"].clear()) == ""


def test_an_older_export_is_said_and_keras_answers(here, monkeypatch, capsys):
    monkeypatch.setattr(
        found, "exported", lambda *given: found.Exported(None, said="exports/x: of an older model")
    )
    assert program.main(["photo.png"]) == 0
    printed = capsys.readouterr()
    assert "exports/x: of an older model; `make export` writes it anew" in printed.err
    assert printed.out.startswith("photo.png: class ")
