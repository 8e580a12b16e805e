"""Weights of bases with branches, normalisations and layers that Keras numbers, and their use."""

import h5py
import keras
import numpy as np
import pytest

from pipeline.errors import PipelineError
from pipeline.networks import build, registry
from pipeline.networks.graph import base_layers
from pipeline.parameters.fine_tuning import first_layer
from pipeline.pretrained.arrays import array_names, digest, layout
from pipeline.pretrained.frozen import FrozenBase
from pipeline.pretrained.weights import load_into
from pipeline.pretrained.weights_file import read_file
from pipeline.runtime.arrays import save_arrays
from tests.pipeline.networks.support import IMAGENET, marked, outputs_of, randomised

FUNCTIONS = {
    "mobilenet_v3_small": keras.applications.MobileNetV3Small,
    "xception": keras.applications.Xception,
    "inception_v3": keras.applications.InceptionV3,
    "convnext_tiny": keras.applications.ConvNeXtTiny,
}
named = pytest.mark.parametrize("name", marked(list(FUNCTIONS)))


def arrays_of(name: str, seed: int = 0):
    """A base's arrays with numbers of which no two are the same."""
    size = registry.find(name).smallest_image
    model = randomised(build(name, (size, size, 3), 2), seed)
    layers = base_layers(model, registry.find(name).base.end)
    return {
        each: array
        for layer in layers
        for each, array in zip(array_names(layer), layer.get_weights(), strict=True)
    }


def theirs(name: str, arrays, inside: bool):
    """Keras' own network with these arrays, alone or as a layer of another, made after others."""
    size = registry.find(name).smallest_image
    for _ in range(2):
        keras.layers.Conv2D(1, 1), keras.layers.BatchNormalization(), keras.layers.ReLU()
    base = FUNCTIONS[name](
        include_top=False, weights=None, input_shape=(size, size, 3), pooling="avg"
    )
    base.set_weights(list(arrays.values()))
    if not inside:
        return base
    inputs = keras.Input((size, size, 3))
    model = keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Dropout(0.5)(base(inputs))))
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    return model


@named
def test_what_keras_saves(tmp_path, name):
    arrays = arrays_of(name)
    for inside in (False, True):
        model = theirs(name, arrays, inside)
        for kind in ("a.keras", "a.h5", "a.weights.h5"):
            path = tmp_path / kind
            (model.save_weights if kind.endswith("weights.h5") else model.save)(path)
            found = read_file(path, layout(name))
            assert list(found) == list(arrays)
            assert digest(found) == digest(arrays), (kind, inside)
            path.unlink()


@named
def test_old_names_are_read_in_order_as_keras_does(tmp_path, name):
    """Keras 1 called them convolution2d_1 and batchnormalization_1."""
    arrays = arrays_of(name)
    wanted = layout(name)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        old = {layer: f"convolution2d_{i}" if layer in wanted.automatic else layer
               for i, layer in enumerate(wanted.layers)}  # fmt: skip
        file.attrs["layer_names"] = ["input_1", *old.values()]
        file.create_group("input_1").attrs["weight_names"] = []
        for layer, names in wanted.layers.items():
            group = file.create_group(old[layer])
            group.attrs["weight_names"] = [f"{each}:0" for each in names]
            for each in names:
                group[f"{each}:0"] = arrays[each]
    found = {layer for layer in old if old[layer] != layer}
    assert bool(found) == bool(wanted.automatic)
    assert digest(read_file(tmp_path / "a.h5", wanted)) == digest(arrays)


def test_the_weights_of_another_base_are_refused_by_the_first_array_that_does_not_fit(tmp_path):
    arrays = arrays_of("mobilenet_v3_small")
    save_arrays(tmp_path / "a.npz", arrays)
    with pytest.raises(PipelineError) as error:
        read_file(tmp_path / "a.npz", layout("vgg16"))
    assert str(error.value) == (
        "pretrained_weights: a.npz: not the weights of vgg16's base: block1_conv1_kernel is "
        "missing (0 of its 26 arrays are there)"
    )
    larger = arrays | {"conv_kernel": np.zeros((3, 3, 3, 32), "float32")}
    save_arrays(tmp_path / "b.npz", larger)
    with pytest.raises(PipelineError) as error:
        read_file(tmp_path / "b.npz", layout("mobilenet_v3_small"))
    assert str(error.value) == (
        "pretrained_weights: b.npz: not the weights of mobilenet_v3_small's base: conv_kernel is "
        "3×3×3×32, expected 3×3×3×16"
    )


@named
def test_the_head_on_what_is_kept_is_the_model_on_the_pixels(tmp_path, name):
    """On the mean of the last maps, and on the maps below the last block."""
    network = registry.find(name)
    size = network.smallest_image
    images = np.random.default_rng(1).integers(0, 256, (5, size, size, 3), dtype="uint8")
    save_arrays(tmp_path / "weights.npz", arrays_of(name))
    model = build(name, (size, size, 3), 2, normalization=IMAGENET)
    load_into(model, tmp_path)
    base = FrozenBase(name, (size, size, 3), IMAGENET, tmp_path)
    layers = [base.end, base.below(first_layer(-1, network))]
    whole = outputs_of(model, images)
    assert np.ptp(whole) > 1e-4
    kept = outputs_of(base.maps(layers), images)
    assert kept[0].ndim == 2
    for layer, found in zip(layers, kept, strict=True):
        assert found.shape[1:] == base.output_shape(layer)
        head = keras.Model(model.get_layer(layer).output, model.output)
        np.testing.assert_allclose(outputs_of(head, found), whole, atol=1e-5)
