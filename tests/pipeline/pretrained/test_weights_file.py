"""A file of one's own, in each layout that is read, and each that is not."""

import zipfile

import h5py
import keras
import numpy as np
import pytest

from pipeline.errors import PipelineError
from pipeline.pretrained.arrays import digest, layout
from pipeline.pretrained.weights_file import read_file as read_file_of
from pipeline.runtime.arrays import save_arrays
from tests.pipeline.pretrained.support import write_legacy_h5, write_nested_h5


def read_file(path):
    return read_file_of(path, layout("vgg16"))


def refusal(path) -> str:
    with pytest.raises(PipelineError) as error:
        read_file(path)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.fixture(scope="module")
def keras_model(arrays):
    """Keras' own VGG16 inside another model, with an optimizer's moments for every array."""
    base = keras.applications.VGG16(include_top=False, weights=None, input_shape=(32, 32, 3))
    for layer in base.layers:
        if layer.name in layout("vgg16").layers:
            layer.set_weights([arrays[f"{layer.name}_kernel"], arrays[f"{layer.name}_bias"]])
    inputs = keras.Input((32, 32, 3))
    outputs = keras.layers.Dense(2)(keras.layers.Flatten()(base(inputs)))
    model = keras.Model(inputs, outputs)
    model.compile(keras.optimizers.SGD(momentum=0.9), "mse")
    model.optimizer.build(model.trainable_variables)
    return model


@pytest.mark.parametrize("group", ["", "model_weights"])
def test_the_legacy_layout(tmp_path, arrays, group):
    path = write_legacy_h5(tmp_path / "a.h5", arrays, group)
    assert digest(read_file(path)) == digest(arrays)


def test_the_legacy_layout_of_a_base_inside_a_model(tmp_path, arrays):
    assert digest(read_file(write_nested_h5(tmp_path / "a.h5", arrays))) == digest(arrays)


def test_the_moments_of_an_old_optimizer_are_not_the_weights(tmp_path, arrays):
    path = write_legacy_h5(tmp_path / "a.h5", arrays, "model_weights")
    with h5py.File(path, "a") as file:
        for kind in ("kernel", "bias"):
            moment = np.zeros_like(arrays[f"block1_conv1_{kind}"])
            file[f"optimizer_weights/training/SGD/block1_conv1/{kind}/momentum:0"] = moment
    assert digest(read_file(path)) == digest(arrays)


@pytest.mark.parametrize("name", ["a.keras", "a.h5", "a.weights.h5"])
def test_what_keras_saves_today(tmp_path, arrays, keras_model, name):
    path = tmp_path / name
    (keras_model.save_weights if name.endswith("weights.h5") else keras_model.save)(path)
    assert digest(read_file(path)) == digest(arrays)
    path.unlink()


@pytest.mark.parametrize("numbered", [False, True])
def test_numpy_archives(tmp_path, arrays, numbered):
    path = tmp_path / "whatever"
    if numbered:
        with path.open("wb") as file:
            np.savez(file, *arrays.values())
    else:
        save_arrays(path, arrays)
    assert digest(read_file(path)) == digest(arrays)


def test_the_real_file(shared_data):
    arrays = read_file(shared_data / "vgg16_imagenet_notop.h5")
    assert digest(arrays) == "d9a27cc1fc7f975ef8cff49180e794ccd7c4bc868ebb49740803b3bbaa8dbefd"


def test_another_network_is_refused(tmp_path, arrays):
    fewer = {name: array for name, array in arrays.items() if not name.startswith("block5")}
    path = write_legacy_h5(tmp_path / "vgg11.h5", fewer)
    assert refusal(path) == (
        "pretrained_weights: vgg11.h5: not the weights of vgg16's base: block5_conv1_kernel "
        "is missing (20 of its 26 arrays are there)"
    )
    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(3, 3)])
    model.save(tmp_path / "small.keras")
    assert refusal(tmp_path / "small.keras").endswith("(0 of its 26 arrays are there)")


def test_an_array_too_many_is_refused(tmp_path, arrays):
    path = write_legacy_h5(tmp_path / "a.h5", arrays)
    with h5py.File(path, "a") as file:
        layer = file["block1_conv1"]
        layer["again"] = arrays["block1_conv1_bias"]
        layer.attrs["weight_names"] = [*layer.attrs["weight_names"], "again"]
    assert refusal(path) == (
        "pretrained_weights: a.h5: not the weights of vgg16's base: block1_conv1 has 3 arrays, "
        "expected 2"
    )


def test_two_layers_of_one_name_are_refused(tmp_path, arrays):
    path = write_legacy_h5(tmp_path / "a.h5", arrays)
    with h5py.File(path, "a") as file:
        file.attrs["layer_names"] = [*file.attrs["layer_names"], "block1_conv1"]
    assert "two layers are called block1_conv1" in refusal(path)


@pytest.mark.parametrize("share", [0.2, 0.7, 0.9999])
def test_a_file_cut_short_is_refused(tmp_path, legacy_h5, share):
    path = tmp_path / "cut.h5"
    path.write_bytes(legacy_h5.read_bytes()[: int(share * legacy_h5.stat().st_size)])
    line = refusal(path)
    assert line.startswith("pretrained_weights: cut.h5: damaged or cut short (")
    assert line.endswith("); fetch it again")


def test_an_archive_cut_short_is_refused(tmp_path, arrays):
    save_arrays(tmp_path / "cut.npz", arrays)
    with (tmp_path / "cut.npz").open("r+b") as file:
        file.truncate(1 << 20)
    assert refusal(tmp_path / "cut.npz").startswith(
        "pretrained_weights: cut.npz: damaged or cut short ("
    )


def test_pickles_are_not_loaded(tmp_path, arrays):
    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("the pickle was loaded",))

    objects = np.empty(64, object)
    objects[0] = Bomb()
    path = tmp_path / "bomb.npz"
    small = {name: np.zeros(1, "float32") for name in arrays} | {"block1_conv1_bias": objects}
    with path.open("wb") as file:
        np.savez(file, **small)
    assert refusal(path) == (
        "pretrained_weights: bomb.npz: block1_conv1_bias holds Python objects, which are not "
        "loaded; expected numbers"
    )


def test_an_archive_of_something_else_is_refused_by_its_name(tmp_path):
    """As PyTorch saves its models: a pickle beside the numbers."""
    path = tmp_path / "model.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"cos\nsystem\n")
    assert refusal(path) == (
        "pretrained_weights: model.pt: holds archive/data.pkl, which is no array; expected "
        "Keras' .h5, .weights.h5 or .keras, or .npz"
    )


@pytest.mark.parametrize("content", [b"", b"version https://git-lfs", b"<html>", b"\x80\x04."])
def test_anything_else_is_refused(tmp_path, content):
    (tmp_path / "a.h5").write_bytes(content)
    assert refusal(tmp_path / "a.h5") == (
        "pretrained_weights: a.h5: not a file of weights; expected Keras' .h5, .weights.h5 or "
        ".keras, or .npz"
    )


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path, monkeypatch, arrays):
    monkeypatch.setattr("pipeline.pretrained.weights_file.MOST_BYTES", 1 << 20)
    save_arrays(tmp_path / "a.npz", arrays)
    assert "unpacks to more than" in refusal(tmp_path / "a.npz")
