"""What the demo says of an image file, and the examples that it offers."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.datasets.decode import UnreadableError, decode
from pipeline.datasets.resizing import Resize
from tests.support import write_prepared
from tests.tools.serving.training import CLASSES, MODEL, encoded, picture, write_model
from tools.demonstration import examples
from tools.demonstration.models import Model
from tools.serving.trained import Trained


def test_the_probabilities_are_the_models_and_the_heat_is_seen(workspace):
    classes = CLASSES[:2]  # one output; three are in tests/tools/test_demo.py
    model = write_model(channels=3, classes=classes)
    data = encoded(picture(4, "RGB", 40), "JPEG")
    Path("photo.jpg").write_bytes(data)
    said = Model(Trained(MODEL, classes, "it", Resize("crop"))).say(Path("photo.jpg"))
    ((second,),) = model.predict(decode(data, (8, 8, 3), Resize("crop"))[0][None], verbose=0)
    expected = [1 - second, second]
    assert list(said.probabilities) == classes
    np.testing.assert_allclose(list(said.probabilities.values()), expected, atol=1e-6)
    assert said.heated.dtype == np.uint8
    assert said.heated.shape == (384, 384, 3)
    assert len(np.unique(said.heated.reshape(-1, 3), axis=0)) > 10


def test_what_is_no_image(workspace):
    write_model()
    Path("a.jpg").write_text("hello")
    with pytest.raises(UnreadableError, match="not an image of a known format"):
        Model(Trained(MODEL, CLASSES, "it", Resize("crop"))).say(Path("a.jpg"))


def test_examples_are_test_images_of_all_classes(workspace, tmp_path):
    assert examples.write(tmp_path) == []  # nothing is prepared yet
    write_prepared(classes=5, size=9, channels=3, counts=(10, 10, 30))
    found = examples.write(tmp_path)
    labels = np.load("data/prepared/test_labels.npy").argmax(axis=1)
    images = np.load("data/prepared/test_images.npy")
    assert [name for _, name in found] == [f"class {i % 5}" for i in range(12)]
    for path, name in found:
        place = int(Path(path).stem.removeprefix("test-"))
        assert name == f"class {labels[place]}"
        np.testing.assert_array_equal(np.asarray(Image.open(path)), images[place])
