"""`python -m tools.register`: which run is the best, and what is registered."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.datasets.decode import decode
from pipeline.datasets.resizing import Resize
from pipeline.errors import PipelineError
from pipeline.tracking import store
from tests import forking
from tests.support import REPOSITORY
from tests.tools.comparison.recording import track
from tests.tools.serving.training import encoded, picture, record, write_model, write_reference
from tools import predict, register
from tools.serving import registry

COLUMNS = ["p_cat", "p_dog", "p_ox"]

# In a process of its own, in a folder where this package is not.
ELSEWHERE = """
import importlib.util, json, sys
import mlflow, pandas as pd
for name in ("stages", "pipeline", "benchmarks"):  # tf2onnx, too, has a folder `tools`
    assert importlib.util.find_spec(name) is None, name
mlflow.set_tracking_uri(sys.argv[1])
model = mlflow.pyfunc.load_model("models:/bars@best")
answer = model.predict(pd.DataFrame({"image": [open("photo.jpg", "rb").read()]}))
print("answer" + answer.to_json(orient="records", double_precision=12))
"""


@pytest.fixture
def tracked(workspace, tmp_path_factory, monkeypatch) -> Path:
    return track(workspace, tmp_path_factory, monkeypatch)


@pytest.fixture
def named(tracked, monkeypatch):
    """Records a run of this name."""

    def run(name: str, accuracies: list[float], **parameters: Any) -> str:
        monkeypatch.setenv("DVC_EXP_NAME", name)
        run_id = record(accuracies, **parameters)
        monkeypatch.delenv("DVC_EXP_NAME")
        return run_id

    return run


def best() -> Any:
    return registry.trained.registered(registry.trained.open_store(), "bars", registry.ALIAS)


def test_the_best_is_that_of_the_validation(named, capsys):
    write_model()
    named("middle", [0.5, 0.7])
    high = named("high", [0.1, 0.9])  # and the lowest of the test, see training.record
    named("peak", [0.99, 0.6])  # its best epoch is not the model's
    named("other split", [1.0], data="sha256:two")
    named("without", [1.0], validated=False)
    register.main([])
    assert capsys.readouterr().out.splitlines()[-1] == (
        "register: high is now bars version 1, alias best: validation accuracy 0.9000, the best "
        "of 3 runs; 2 on another split or without validation not counted"
    )
    artifacts = store.connect().client.list_artifacts(best().run_id)
    assert "model_card.md" in [artifact.path for artifact in artifacts]
    version = best()
    assert version.run_id == high
    assert version.tags["chosen_by"].startswith("validation accuracy 0.9000")
    # With the best epoch's weights kept, that epoch counts.
    named("kept", [0.95, 0.6], best_weights=True)
    register.main([])
    assert capsys.readouterr().out.startswith("register: kept is now bars version 2, alias best")
    assert best().version in ("2", 2)


def test_a_named_run_and_the_same_again(named, capsys):
    write_model()
    named("a", [0.5])
    named("b", [0.9])
    register.main(["--run", "a"])
    register.main(["--run", "a"])
    register.main(["--run", "b"])
    register.main(["--run", "a"])
    assert capsys.readouterr().out.splitlines() == [
        "register: a is now bars version 1, alias best: named by --run",
        "register: a was registered before as bars version 1, alias best: named by --run",
        "register: b is now bars version 2, alias best: named by --run",
        "register: a was registered before as bars version 1, alias best: named by --run",
    ]


@pytest.fixture
def registered(named, capsys) -> list[float]:
    """photo.jpg, a registered model, and the probabilities that it should give."""
    model = write_model(channels=3)
    usual = np.stack([np.asarray(picture(i, "RGB")) for i in range(40)])
    write_reference(model, usual, np.arange(40) % 3)
    named("a", [0.5])
    write_model(channels=3, seed=7)  # the workspace's model is another by now
    register.main([])
    capsys.readouterr()
    data = encoded(picture(4, "RGB", 40), "JPEG")
    Path("photo.jpg").write_bytes(data)
    pixels, _ = decode(data, (8, 8, 3), Resize())
    return model.predict(pixels[None], verbose=0)[0].tolist()


def test_the_same_answer_from_predict_and_pyfunc(registered, capsys, monkeypatch):
    for flags in (["--run", "a"], ["--best"]):
        assert predict.main(["photo.jpg", "--json", "--top", "3", *flags]) == 0
        top = json.loads(capsys.readouterr().out)["top"]
        found = [one["probability"] for one in sorted(top, key=lambda one: one["class"])]
        np.testing.assert_allclose(found, registered, atol=1e-5)
    kept = [path.name for path in Path("mlartifacts").rglob("*") if path.is_file()]
    assert kept.count("model.keras") == 2  # the run's model and the registered one
    assert not [n for n in kept if n.endswith((".pkl", ".pickle", ".cloudpickle"))]
    import mlflow

    monkeypatch.setenv("MLFLOW_TRACKING_URI", store.tracking_uri())
    loaded = mlflow.pyfunc.load_model("models:/bars@best")
    frame = loaded.predict(
        pd.DataFrame({"image": [Path("photo.jpg").read_bytes(), encoded(picture(5))]})
    )
    assert list(frame) == ["class", "probability", *COLUMNS, "unlike_training"]
    assert frame["unlike_training"].dtype == bool
    np.testing.assert_allclose(frame.loc[0, COLUMNS].tolist(), registered, atol=1e-5)
    for _, row in frame.iterrows():
        assert row["probability"] == max(row[COLUMNS]) == row[f"p_{row['class']}"]
    with pytest.raises(mlflow.exceptions.MlflowException, match="image 0: not an image of a known"):
        loaded.predict(pd.DataFrame({"image": [b"hello"]}))


def test_the_code_that_goes_along_is_what_answers(registered):
    (code,) = [path.parent.parent for path in Path("mlartifacts").rglob("code/tools")]
    code /= "code"
    carried = {str(path.relative_to(code)) for path in code.rglob("*") if path.is_file()}
    assert {path.name for path in code.iterdir()} == {"pipeline", "tools"}
    assert {"pipeline/datasets/decode.py", "tools/serving/classifier.py"} <= carried
    rooms = {name.rsplit("/", 1)[0] for name in carried}
    assert rooms == {
        "pipeline",
        "pipeline/datasets",
        "pipeline/evaluation",
        "pipeline/networks",
        "pipeline/networks/loader",
        "pipeline/runtime",
        "tools",
        "tools/serving",
    }  # nothing that trains, records or measures
    assert not {"pipeline/networks/presets.py", "tools/serving/registry.py"} & carried
    for name in carried:
        assert (code / name).read_bytes() == (REPOSITORY / name).read_bytes()


def test_it_answers_where_the_pipeline_is_not(registered, tmp_path, monkeypatch):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "photo.jpg").write_bytes(Path("photo.jpg").read_bytes())
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    environment["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] = "false"
    address = store.tracking_uri()
    monkeypatch.chdir(elsewhere)
    done = forking.run(address, code=ELSEWHERE, environment=environment)
    assert done.returncode == 0, done.stderr
    (answer,) = json.loads(done.stdout.partition("answer")[2])
    np.testing.assert_allclose([answer[column] for column in COLUMNS], registered, atol=1e-5)
    assert answer["unlike_training"] is False


def test_the_data_set_that_is_meant(named):
    write_model()
    named("a", [0.5])
    named("b", [0.6], dataset="/home/someone/photos.zip")
    runs = registry.read_runs(registry.trained.open_store())
    assert registry.dataset(runs) == "bars"  # the workspace's
    Path("data/prepared/dataset.json").unlink()
    with pytest.raises(PipelineError, match=r"^--dataset: name one of those of the runs: bars, ph"):
        registry.dataset(runs)
    assert registry.dataset(runs[:1]) == "photos.zip"
    assert registry.best("photos.zip", runs).run.name == "b"
    with pytest.raises(PipelineError, match=r"^baas: no finished run of this data set; did you me"):
        registry.best("baas", runs)


def test_nothing_to_choose_by(named):
    write_model()
    named("a", [0.5], validated=False)
    with pytest.raises(PipelineError, match=r"^bars: no run has a validation part to choose the b"):
        register.main([])


def test_a_run_without_a_model(tracked):
    from pipeline.tracking import start_run

    write_model()
    died = start_run({"dataset": "bars", "model": "tiny_cnn"}, {})
    died.fail("no")
    with pytest.raises(PipelineError, match=r"this run is FAILED and has no model; name another$"):
        register.main(["--run", str(died.run_id)])


def test_no_store(workspace):
    with pytest.raises(PipelineError, match=r"there is no run yet; `make repro` makes the first$"):
        register.main([])


def test_a_model_whose_files_are_gone(named):
    write_model()
    named("a", [0.5])
    shutil.rmtree("mlartifacts")
    with pytest.raises(
        PipelineError, match=r"/artifacts: the model's files are gone; run this experiment again$"
    ):
        register.main(["--run", "a"])
