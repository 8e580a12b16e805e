"""One base of each family from a file of weights to its scores, fine-tuned, by the stages."""

import shutil
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from pipeline.evaluation.reference import Reference, beside
from pipeline.networks import registry, saving
from pipeline.runtime import files, paths
from tests.pipeline.networks.support import randomised
from tests.support import run_here, set_parameters, write_prepared

FAMILIES = {
    "mobilenet_v3_small": "MobileNetV3Small",
    "vgg19": "VGG19",
    "resnet50": "ResNet50",
    "resnet50_v2": "ResNet50V2",
    "inception_v3": "InceptionV3",
    "inception_resnet_v2": "InceptionResNetV2",
    "xception": "Xception",
    "mobilenet": "MobileNet",
    "mobilenet_v2": "MobileNetV2",
    "densenet121": "DenseNet121",
    "efficientnet_v2_b0": "EfficientNetV2B0",
    "convnext_tiny": "ConvNeXtTiny",
}


def prepared(name: str, workspace: Path, **changes: object) -> None:
    """Two classes, 16 images, and a file of the base's weights."""
    size = registry.find(name).smallest_image
    weights = workspace / "mine.weights.h5"
    made = getattr(keras.applications, FAMILIES[name])(
        include_top=False, weights=None, input_shape=(size, size, 3)
    )
    randomised(made).save_weights(weights)
    set_parameters(
        **{"model": name, "image_size": size, "pretrained_weights": str(weights)},
        **{"epochs": 1, "batch_size": 4, **changes},
    )
    assert run_here("params").status == 0
    dataset = write_prepared(classes=2, size=size, channels=3, counts=(8, 4, 4))
    dataset["normalization"]["method"] = "imagenet"
    files.write_json(paths.PREPARED / "dataset.json", dataset)
    shutil.rmtree(paths.FEATURES)


def test_a_pooled_base_through_the_stages(workspace: Path) -> None:
    """What is kept is a vector an image: twins, reference and scores take it as it is."""
    prepared("mobilenet_v3_small", workspace)
    for stage in ("weights", "features", "twins", "train", "evaluate"):
        ended = run_here(stage)
        assert ended.status == 0, ended.error
    assert np.load(paths.FEATURES / "test_maps.npy").shape == (4, 576)
    reference = Reference.load(beside(paths.MODEL_FILE))
    assert reference is not None
    assert reference.layer == "globalpool"


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_two_steps_and_fine_tuning(name: str, workspace: Path) -> None:
    prepared(name, workspace, fine_tune_from=-1, fine_tune_epochs=1)
    for stage in ("weights", "features", "train", "evaluate"):
        ended = run_here(stage)
        assert ended.status == 0, ended.error
    assert pd.read_csv(paths.REPORTS / "history.csv").phase.tolist() == ["head", "fine_tune"]
    maps = np.load(paths.FEATURES / "train_maps.npy")
    assert maps.ndim == 2  # pooled: some KB an image
    model = saving.load_model(paths.MODEL / "model.keras")
    kernels = {layer.name: layer.trainable for layer in model.layers if layer.weights}
    normalisations = [
        layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)
    ]
    assert not any(layer.trainable for layer in normalisations)
    assert any(kernels.values())
    # What was frozen is what was loaded.
    first = next(layer for layer in model.layers if layer.weights)
    with np.load(paths.WEIGHTS / "weights.npz") as arrays:
        kernel = arrays[f"{first.name}_kernel"]
    np.testing.assert_array_equal(first.get_weights()[0], kernel)
    shutil.rmtree(workspace / "data")
    (workspace / "mine.weights.h5").unlink()
