"""The logged model: it loads back everywhere, without a pickle, and predicts the same."""

import json
import os
from pathlib import Path

import keras
import numpy as np
import pytest

from pipeline.networks import build, layers, saving
from pipeline.tracking import start_run
from tests import forking
from tests.support import REPOSITORY

PARAMETERS = {"model": "tiny_cnn", "dataset": "digits"}
MINMAX = {"method": "minmax", "mean": [0.0], "variance": [1.0]}
PIXELS = np.random.default_rng(0).integers(0, 256, (12, 8, 8, 1), dtype="uint8")
COLOUR = np.random.default_rng(1).integers(0, 256, (12, 8, 8, 3), dtype="uint8")

# In a process of its own, in a folder where this package is not: what goes
# along with the model has to be enough.
ELSEWHERE = """
import importlib.util, json, sys
import mlflow, numpy as np
for name in ("stages", "pipeline", "benchmarks"):  # tf2onnx, too, has a folder `tools`
    assert importlib.util.find_spec(name) is None, name
mlflow.set_tracking_uri(sys.argv[1])
pixels = np.load("pixels.npy")
model = mlflow.pyfunc.load_model(sys.argv[2])
answers = {"pyfunc": model.predict(pixels).tolist(), "classes": model.metadata.metadata["classes"]}
answers["tensorflow"] = mlflow.tensorflow.load_model(sys.argv[2]).predict(pixels, verbose=0).tolist()
print("answers" + json.dumps(answers))
"""


def three_layers_of_ours() -> keras.Model:
    inputs = keras.Input((8, 8, 3), dtype="uint8")
    outputs = layers.ImageNetMeans()(inputs)
    outputs = keras.layers.Conv2D(4, 3)(outputs)
    outputs = layers.PaddedMaxPooling2D()(layers.Maxout()(outputs))
    outputs = keras.layers.Dense(3, activation="softmax")(keras.layers.Flatten()(outputs))
    return keras.Model(inputs, outputs)


def save(model: keras.Model) -> Path:
    path = Path("data/model/model.keras")
    saving.save_model(model, path)
    return path


def files_of(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "mlartifacts" / "models").rglob("*"))


@pytest.mark.parametrize(
    ("classes", "activation"), [(["0", "1", "2"], "relu"), (["cat", "dog"], "maxout")]
)
def test_it_predicts_as_the_pipeline_does(tracked, classes, activation, capfd):
    import mlflow

    model = build("tiny_cnn", (8, 8, 1), len(classes), activation=activation, normalization=MINMAX)
    path = save(model)
    expected = saving.load_model(path).predict(PIXELS, verbose=0)
    record = start_run(PARAMETERS, {})
    record.log_model(path, PIXELS[:1], classes)
    record.finish()
    assert capfd.readouterr() == ("", "")
    mlflow.set_tracking_uri(f"sqlite:///{tracked / 'mlflow.db'}")
    uri = f"runs:/{record.run_id}/model"
    loaded = mlflow.pyfunc.load_model(uri)
    np.testing.assert_allclose(loaded.predict(PIXELS), expected, atol=1e-5)
    native = mlflow.keras.load_model(uri)
    np.testing.assert_allclose(native.predict(PIXELS, verbose=0), expected, atol=1e-5)
    signature = loaded.metadata.signature.to_dict()
    (pixels,), (probabilities,) = (json.loads(signature[key]) for key in ("inputs", "outputs"))
    assert pixels["tensor-spec"] == {"dtype": "uint8", "shape": [-1, 8, 8, 1]}
    assert probabilities["tensor-spec"] == {"dtype": "float32", "shape": [-1, expected.shape[1]]}
    assert loaded.metadata.metadata["classes"] == classes
    example = loaded.metadata.load_input_example(loaded.metadata.artifact_path)
    np.testing.assert_array_equal(example, PIXELS[:1])
    with pytest.raises(mlflow.exceptions.MlflowException, match="shape"):
        loaded.predict(COLOUR)


def test_it_loads_where_the_pipeline_is_not(tracked, tmp_path, monkeypatch):
    path = save(three_layers_of_ours())
    expected = saving.load_model(path).predict(COLOUR, verbose=0)
    record = start_run(PARAMETERS, {})
    record.log_model(path, COLOUR[:1], ["a", "b", "c"])
    names = files_of(tracked)
    assert "model.keras" in names
    assert not [name for name in names if name.endswith((".pkl", ".cloudpickle", ".pyc"))]
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    np.save(elsewhere / "pixels.npy", COLOUR)
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    environment["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] = "false"
    monkeypatch.chdir(elsewhere)
    addresses = (f"sqlite:///{tracked / 'mlflow.db'}", f"runs:/{record.run_id}/model")
    done = forking.run(*addresses, code=ELSEWHERE, environment=environment)
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout.partition("answers")[2])
    assert answers["classes"] == ["a", "b", "c"]
    np.testing.assert_allclose(answers["pyfunc"], expected, atol=1e-5)
    np.testing.assert_allclose(answers["tensorflow"], expected, atol=1e-5)


def test_what_it_needs_is_named_in_the_versions_of_here(tracked):
    path = save(build("tiny_cnn", (8, 8, 1), 3, normalization=MINMAX))
    record = start_run(PARAMETERS, {})
    record.log_model(path, PIXELS[:1], ["0", "1", "2"])
    (needed,) = (tracked / "mlartifacts" / "models").rglob("requirements.txt")
    lines = needed.read_text().split()
    assert f"keras=={keras.__version__}" in lines
    assert f"numpy=={np.__version__}" in lines
    assert [line for line in lines if line.startswith(("mlflow==", "mlflow-skinny=="))]
    assert [line for line in lines if line.startswith(("tensorflow", "jax==", "torch=="))]
    (packaged,) = (tracked / "mlartifacts" / "models").rglob("data/model.keras")
    assert packaged.read_bytes() == path.read_bytes()


def test_a_training_killed_while_it_logs_leaves_one_model(client):
    path = save(build("tiny_cnn", (8, 8, 1), 3, normalization=MINMAX))
    first = start_run(PARAMETERS, {})
    experiment = first.store.experiment_id
    client.create_logged_model(experiment, "model", source_run_id=first.run_id)  # not finished
    record = start_run(PARAMETERS, {}, resume=first.run_id)
    record.log_model(path, PIXELS[:1], ["0", "1", "2"])
    record.log_model(path, PIXELS[:1], ["0", "1", "2"])
    (model,) = client.search_logged_models([experiment])
    assert str(model.status) == "READY"
    assert [o.model_id for o in client.get_run(first.run_id).outputs.model_outputs] == [
        model.model_id
    ]


def test_the_code_that_goes_along_is_what_loads_and_predicts(tracked):
    path = save(build("tiny_cnn", (8, 8, 1), 3, normalization=MINMAX))
    record = start_run(PARAMETERS, {})
    record.log_model(path, PIXELS[:1], ["0", "1", "2"])
    (code,) = (tracked / "mlartifacts" / "models").rglob("code")
    assert [folder.name for folder in code.iterdir()] == ["pipeline"]
    carried = {str(path.relative_to(code)) for path in code.rglob("*") if path.is_file()}
    assert {
        "pipeline/__init__.py",
        "pipeline/networks/layers.py",
        "pipeline/networks/loader/__init__.py",
        "pipeline/networks/loader/models.py",
        "pipeline/networks/predicting.py",
        "pipeline/networks/views.py",
    } <= carried
    rooms = {name.split("/")[1] for name in carried if name.count("/") > 1}
    assert rooms == {"networks"}  # nothing that trains, reads data or draws
    assert not [name for name in carried if "presets" in name or "build" in name]
    for name in carried:
        assert (code / name).read_bytes() == (REPOSITORY / name).read_bytes()
