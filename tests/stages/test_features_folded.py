"""The stage `features` with a base whose normalisations are folded: the same bytes, however often
it is killed, and what evaluate makes of them."""

import shutil
import signal
from pathlib import Path

import keras
import numpy as np
import pytest

from pipeline.evaluation import predictions
from pipeline.networks import build, registry
from pipeline.networks.graph import base_layers
from pipeline.networks.predicting import both_columns
from pipeline.parameters.stages import FeaturesParameters
from pipeline.pretrained.arrays import array_names, digest
from pipeline.runtime import files, paths
from pipeline.runtime.arrays import save_arrays
from tests.pipeline.networks.support import IMAGENET, marked, randomised
from tests.stages.test_features import outs, run_killed_after
from tests.support import write_prepared

SIZE = 32


@pytest.mark.parametrize("name", marked(["mobilenet_v3_small", "efficientnet_lite0"]))
@pytest.mark.slow
def test_killed_twice_and_scored(
    name: str, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = write_prepared(classes=2, size=SIZE, channels=3, counts=(36, 12, 10))
    dataset["normalization"] = IMAGENET
    files.write_json(paths.PREPARED / "dataset.json", dataset)
    model = randomised(build(name, (SIZE, SIZE, 3), 2, normalization=IMAGENET))
    base = registry.find(name).base
    assert base is not None
    arrays = {
        each: array
        for layer in base_layers(model, base.end)
        for each, array in zip(array_names(layer), layer.get_weights(), strict=True)
    }
    save_arrays(paths.WEIGHTS / "weights.npz", arrays)
    record = {"pretrained_weights": "mine.h5", "sha256": digest(arrays)}
    files.write_json(paths.WEIGHTS / "weights.json", record)
    wanted = {"model": name, "fine_tune_from": None, "dtype": "float32"}
    files.write_json(FeaturesParameters.path(), {**wanted, "deterministic": True, "threads": 2})
    runs = [run_killed_after(batches) for batches in (1, 5, -1)]
    assert [run.returncode for run in runs] == [-signal.SIGKILL, -signal.SIGKILL, 0]
    assert "computed 58" in runs[2].stdout
    assert outs(Path("resumed")) == outs(Path("whole"))
    norms = sum(isinstance(each, keras.layers.BatchNormalization) for each in model.layers)
    assert files.read_json(Path("whole/features.json"))["folded"] == norms

    shutil.rmtree(paths.FEATURES, ignore_errors=True)
    shutil.copytree("whole", paths.FEATURES)
    images = np.load(paths.PREPARED / "test_images.npy")
    found, _ = predictions.predict_test(model, images, workspace / "resume")
    assert np.ptp(found) > 1e-6
    whole = both_columns(model.predict(images, verbose=0))
    np.testing.assert_allclose(found, whole, atol=1e-3)
    # Maps of something else are noticed.
    maps = np.load(paths.FEATURES / "test_maps.npy")
    np.save(paths.FEATURES / "test_maps.npy", maps[::-1] * 2)
    shutil.rmtree(workspace / "resume")
    monkeypatch.setitem(predictions.FOLDED_TOLERANCE, "float32", 1e-7)
    with pytest.raises(AssertionError, match="differ by"):
        predictions.predict_test(model, images, workspace / "resume")
    shutil.rmtree(workspace / "data")
