"""data/explanations: what is in it, and that it is the same bytes each time."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import PipelineError
from pipeline.explain import activations, grad_cam, worst_mistakes, write_explanations
from pipeline.networks.table import layer_rows
from pipeline.runtime import files

LABELS = np.arange(20) % 3
NAMES = ["activations.npz", "explanations.json", "grad_cam.npz", "layers.json"]


@pytest.fixture
def probabilities(model, images) -> np.ndarray:
    return model.predict(images, verbose=0)


def test_it_holds_the_maps_of_the_image_and_of_the_mistakes(
    tmp_path: Path, model, images, probabilities
) -> None:
    write_explanations(tmp_path, model, images, LABELS, probabilities, 5, mistakes=4)
    assert sorted(path.name for path in tmp_path.iterdir()) == NAMES
    written = files.read_json(tmp_path / "explanations.json")
    worst = worst_mistakes(LABELS, probabilities, 4)
    assert written == {"image": 5, "layers": ["conv_1", "conv_2"], "mistakes": worst.tolist()}
    with np.load(tmp_path / "activations.npz", allow_pickle=False) as maps:
        assert maps.files == written["layers"]
        for name, values in activations(model, images[5]).items():
            np.testing.assert_array_equal(maps[name], values)
    with np.load(tmp_path / "grad_cam.npz", allow_pickle=False) as heat:
        np.testing.assert_array_equal(heat["maps"], grad_cam(model, images[worst]))
    assert files.read_json(tmp_path / "layers.json") == layer_rows(model)


def test_twice_gives_the_same_bytes(tmp_path: Path, model, images, probabilities) -> None:
    np.save(tmp_path / "images.npy", images)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    for name, given in (("a", images), ("b", mapped)):
        write_explanations(tmp_path / name, model, given, LABELS, probabilities, 0)
    for name in NAMES:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_model_that_is_always_right_has_no_mistakes(tmp_path: Path, model, images) -> None:
    write_explanations(tmp_path, model, images, LABELS, np.eye(3, dtype="float32")[LABELS], 0)
    assert files.read_json(tmp_path / "explanations.json")["mistakes"] == []
    with np.load(tmp_path / "grad_cam.npz", allow_pickle=False) as heat:
        assert heat["maps"].shape == (0, 8, 8)


@pytest.mark.parametrize("position", [20, -1])
def test_an_image_that_is_not_there_is_named_and_nothing_written(
    tmp_path: Path, model, images, probabilities, position: int
) -> None:
    with pytest.raises(PipelineError) as error:
        write_explanations(tmp_path / "new", model, images, LABELS, probabilities, position)
    assert str(error.value) == (
        f"explain_image: {position}: the test part has 20 images; choose 0 to 19"
    )
    assert not (tmp_path / "new").exists()
