"""`python -m tools.export`: the files, what they give, and what is refused."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from pipeline.errors import PipelineError
from pipeline.networks.predicting import predict
from pipeline.runtime import files, paths
from tests.tools.exporting.making import exported, write_workspace
from tools import export
from tools.exporting import checking, formats, graph, runtimes, to_litert, to_onnx, writing

# What a program of somebody else may not have imported.
OURS = ("pipeline", "tools", "keras", "tensorflow")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The folder of a model's exports and the model; tests leave both as they are."""
    with pytest.MonkeyPatch.context() as patch:
        model = write_workspace(tmp_path_factory.mktemp("made"), patch)
        yield exported(), model


@pytest.fixture
def here(made, monkeypatch) -> Path:
    """The workspace of the model."""
    monkeypatch.chdir(made[0].parents[1])
    return made[0]


@pytest.mark.parametrize("name", ["onnx", "litert"])
def test_raw_pixels_to_probabilities_of_any_number_of_images(made, name):
    folder, model = made
    one = formats.ALL[name]
    images = np.load(folder.parents[1] / paths.PREPARED / "test_images.npy")
    answer = one.answer(folder / one.file, 1)
    for count in (1, 3, 7):
        found = answer(images[:count])
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, predict(model, images[:count]), atol=1e-5)


def test_litert_has_its_own_operations_alone(made):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(made[0] / "model.tflite"))
    interpreter.allocate_tensors()
    operations = {each["op_name"] for each in interpreter._get_ops_details()}
    assert "CONV_2D" in operations
    assert not [name for name in operations if "Flex" in name or "CUSTOM" in name.upper()]


def test_names_in_the_graph_are_the_layers(made):
    import onnx

    found = onnx.load(made[0] / "model.onnx").graph
    assert [value.name for value in (*found.input, *found.output)] == ["pixels", "probabilities"]
    assert "conv_1/Conv" in {node.name for node in found.node}


def test_what_stands_in_model_json(made):
    folder, _ = made
    found = json.loads((folder / "model.json").read_text())
    assert found["classes"] == ["class 0", "class 1", "class 2"]
    assert [found["input"][key] for key in ("height", "width", "channels")] == [8, 8, 1]
    assert found["resize"] == {"method": "stretch", "interpolation": "bilinear"}
    root = folder.parents[1]
    assert found["digests"]["model"] == files.sha256(root / paths.MODEL_FILE)
    assert (
        found["metrics"]["accuracy"] == files.read_json(root / "reports/metrics.json")["accuracy"]
    )
    for name in ("model.onnx", "model.tflite"):
        assert found["files"][name]["sha256"] == files.sha256(folder / name)
        assert found["files"][name]["agrees"]["largest_difference"] <= 1e-4
        assert found["files"][name]["agrees"]["images"] == 256
    assert str(root) not in (folder / "model.json").read_text()


def test_the_program_beside_it_needs_nothing_of_ours(made, tmp_path):
    """Copied elsewhere, in a process of its own, with a picture of another size."""
    from pipeline.datasets.decode import decode
    from pipeline.datasets.resizing import Resize

    folder, model = made
    for name in ("model.onnx", "model.json", "classify.py"):
        shutil.copy(folder / name, tmp_path)
    pixels = np.random.default_rng(0).integers(0, 256, (13, 21, 3), dtype="uint8")
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    code = (
        "import runpy, sys; sys.argv = ['classify.py', 'photo.png']\n"
        "runpy.run_path('classify.py', run_name='__main__')\n"
        f"print([name for name in {OURS} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    read, _ = decode((tmp_path / "photo.png").read_bytes(), (8, 8, 1), Resize())
    (expected,) = predict(model, read[None])
    best = int(expected.argmax())
    assert done.stdout == f"photo.png: class {best} {expected[best]:.4f}\n[]\n"


def test_two_classes_have_a_column_each(tmp_path, monkeypatch):
    model = write_workspace(tmp_path / "two", monkeypatch, classes=2, epochs=0)
    images = np.load(paths.PREPARED / "test_images.npy")
    found = predict(graph.rebuilt(paths.MODEL_FILE), images)
    second = predict(model, images)
    np.testing.assert_allclose(found, np.concatenate([1 - second, second], axis=1), atol=1e-6)


def test_mixed_precision_becomes_float32(tmp_path, monkeypatch):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        write_workspace(tmp_path / "mixed", monkeypatch, epochs=0)
    finally:
        keras.config.set_dtype_policy("float32")
    found = graph.rebuilt(paths.MODEL_FILE)
    assert {layer.compute_dtype for layer in found.layers if layer.weights} == {"float32"}


class Odd(keras.layers.Layer):
    def call(self, inputs):
        import tensorflow as tf

        return tf.math.bessel_i0e(inputs)


@pytest.mark.parametrize("name", ["onnx", "litert"])
def test_an_operation_that_a_format_lacks(name, tmp_path):
    inputs = keras.Input((4, 4, 1), dtype="uint8", name="pixels")
    x = Odd(name="odd_layer")(keras.layers.Rescaling(1 / 255)(inputs))
    model = keras.Model(inputs, keras.layers.Flatten()(x), name="strange")
    writer = {"onnx": to_onnx, "litert": to_litert}[name]
    with pytest.raises(PipelineError, match=f"^{name}: layer odd_layer: this format has no opera"):
        writer.write(model, tmp_path / "model")
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--to", "onyx"], "--to: onyx: unknown format; did you mean onnx?"),
        (["--to", ","], "--to: name at least one of onnx, litert, openvino, saved_model, html"),
        (
            ["--to", "saved_model", "--quantize", "int8"],
            "--quantize int8: none of --to has 8 bits; name one of onnx, litert, html",
        ),
        (["--run", "none"], "there is no run yet"),
    ],
)
def test_bad_arguments(here, arguments, says):
    with pytest.raises(PipelineError) as caught:
        export.main(arguments)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_converter_that_is_not_installed(here, monkeypatch):
    monkeypatch.setattr(formats.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(PipelineError, match=r"openvino: onnx is not installed; run `make setup EX"):
        export.main(["--to", "openvino"])


def test_no_room(here, monkeypatch):
    usage = shutil.disk_usage(".")._replace(free=1000)
    monkeypatch.setattr(writing.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(PipelineError, match=r"^exports/: 0 MiB are free and \d+ MiB may be needed"):
        export.main([])


def test_no_model_and_no_training_images(workspace, monkeypatch):
    with pytest.raises(PipelineError, match=r"model.keras: not there; run `dvc repro`"):
        export.main([])
    write_workspace(workspace, monkeypatch, epochs=0)
    (paths.PREPARED / "train_images.npy").unlink()
    with pytest.raises(
        PipelineError, match=r"^--quantize int8: onnx wants training images .* data"
    ):
        export.main(["--to", "onnx", "--quantize", "int8"])


def test_a_file_that_differs_is_not_kept(here, monkeypatch):
    wrong = formats.Format("onnx", "wrong.onnx", (), lambda path, threads: _wrong(path))
    monkeypatch.setitem(formats.ALL, "onnx", wrong)
    with pytest.raises(PipelineError, match=r"^wrong.onnx: on 256 test images .* differ"):
        export.main(["--to", "onnx"])
    assert not (here / "wrong.onnx").exists()


def _wrong(path):
    answer = runtimes.onnx(path, 1)
    return lambda pixels: answer(pixels) + np.float32(2e-4)


def test_accuracy_may_fall_by_half_a_point():
    labels = np.arange(1000) % 2
    right = np.eye(2, dtype="float32")[labels]
    for wrong, kept in ((5, True), (6, False)):
        found = right.copy()
        found[:wrong] = found[:wrong, ::-1]
        if kept:
            assert checking.check_accuracy("a", found, right, labels)["accuracy"] == 0.995
        else:
            with pytest.raises(
                PipelineError, match=r"^a: test accuracy falls from 1.0000 to 0.994"
            ):
                checking.check_accuracy("a", found, right, labels)


def test_files_of_another_model_go(tmp_path, monkeypatch, capsys):
    write_workspace(tmp_path / "other", monkeypatch, epochs=0)
    folder = exported("--to", "onnx")
    described = files.read_json(folder / "model.json")
    described["digests"]["model"] = "0"
    described["files"]["model.tflite"] = {}
    files.write_json(folder / "model.json", described)
    (folder / "model.tflite").write_text("old")
    export.main(["--to", "onnx"])
    assert "removed model.onnx, model.tflite: of another model" in capsys.readouterr().out
    assert not (folder / "model.tflite").exists()
    assert list(files.read_json(folder / "model.json")["files"]) == ["model.onnx"]
