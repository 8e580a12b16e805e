"""What a saved model says of our own layers, so that it loads wherever they stand by then."""

import json
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from pipeline.networks import layers, saving, views
from tests import forking

# The names in every model that was ever saved: registered name to the module of its class.
FIRST_MODULES = {
    "stages>ImageNetMeans": "stages.models.layers",
    "stages>Maxout": "stages.models.layers",
    "stages>PaddedMaxPooling2D": "stages.models.layers",
    "stages>Views": "stages.models.views",
    "stages>MeanOfViews": "stages.models.views",
}
LOAD = """
import json, sys
import numpy as np
from pipeline.networks.loader.models import load_model
model = load_model(sys.argv[1])
print("answer" + json.dumps(model.predict(np.load(sys.argv[2]), verbose=0).tolist()))
print([name for name in sys.modules if name.partition(".")[0] == "stages"])
"""


def all_layers_of_ours() -> keras.Model:
    keras.utils.set_random_seed(5)
    inputs = keras.Input((8, 8, 3), dtype="uint8")
    outputs = layers.ImageNetMeans()(views.Views(2, True)(inputs))
    convolution = keras.layers.Conv2D(4, 3, kernel_initializer=layers.IdentityConvolution())
    outputs = layers.PaddedMaxPooling2D()(layers.Maxout()(convolution(outputs)))
    outputs = keras.layers.Dense(3, activation="softmax")(keras.layers.Flatten()(outputs))
    return keras.Model(inputs, views.MeanOfViews(2, True)(outputs))


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), dtype="uint8")


def config(path: Path) -> dict[str, Any]:
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read("config.json"))


def with_config(path: Path, changed: dict[str, Any], target: Path) -> Path:
    """A copy of a saved model with another configuration."""
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            text = json.dumps(changed) if name == "config.json" else old.read(name)
            new.writestr(name, text)
    return target


def objects(value: Any) -> list[dict[str, Any]]:
    """All objects in a configuration that say how they are registered."""
    if isinstance(value, list):
        return [found for item in value for found in objects(item)]
    if isinstance(value, dict):
        inner = [found for item in value.values() for found in objects(item)]
        return [value, *inner] if value.get("registered_name") and "module" in value else inner
    return []


def test_a_saved_model_names_the_first_modules_of_our_classes(tmp_path):
    saving.save_model(all_layers_of_ours(), tmp_path / "model.keras")
    found = objects(config(tmp_path / "model.keras"))
    ours = {each["registered_name"]: each["module"] for each in found}
    expected = {**FIRST_MODULES, "stages>IdentityConvolution": "stages.models.layers"}
    assert {name: module for name, module in ours.items() if name.startswith("stages>")} == expected
    assert "pipeline." not in json.dumps(config(tmp_path / "model.keras"))


@pytest.mark.parametrize("module", ["as saved", "pipeline.networks.layers", "nowhere.at_all"])
def test_our_classes_are_found_by_their_registered_names(tmp_path, pixels, module):
    """In a process of its own, which has never heard of the module in the file."""
    model = all_layers_of_ours()
    path = tmp_path / "model.keras"
    saving.save_model(model, path)
    changed = config(path)
    for each in objects(changed):
        if each["registered_name"].startswith("stages>") and module != "as saved":
            each["module"] = module
    path = with_config(path, changed, tmp_path / "other.keras")
    np.save(tmp_path / "pixels.npy", pixels)
    done = forking.run(str(path), str(tmp_path / "pixels.npy"), code=LOAD)
    assert done.returncode == 0, done.stderr
    answer, modules = done.stdout.partition("answer")[2].splitlines()
    expected = model.predict(pixels, verbose=0)
    np.testing.assert_allclose(json.loads(answer), expected, atol=1e-6)
    assert modules == "[]"  # the stages' package is not needed


def test_a_class_that_is_not_ours_is_not_imported_from_a_file(tmp_path):
    path = tmp_path / "model.keras"
    saving.save_model(all_layers_of_ours(), path)
    changed = config(path)
    for each in objects(changed):
        if each["registered_name"] == "stages>Maxout":
            each |= {"registered_name": "stages>Other", "class_name": "Other"}
    with pytest.raises((TypeError, ValueError), match="Other"):
        saving.load_model(with_config(path, changed, tmp_path / "other.keras"))
