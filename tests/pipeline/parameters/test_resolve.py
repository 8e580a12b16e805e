"""Nulls filled in with what was published, combinations that make no sense refused."""

import importlib.util
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from pipeline.networks import registry as networks
from pipeline.parameters.reader import read_parameters
from pipeline.parameters.resolve import cut, resolve
from pipeline.parameters.stages import STAGES, StageParameters
from tests.support import refusal, set_parameters

pytestmark = pytest.mark.usefixtures("workspace")


CODE = {stage.stage(): f"the code of {stage.stage()}" for stage in STAGES}


def resolved(**changes):
    set_parameters(**changes)
    return resolve(read_parameters(Path("params.yaml")))


def cuts(code=CODE, **changes) -> dict[str, StageParameters]:
    return {own.stage(): own for own in cut(resolved(**changes), code)}


def test_the_default_is_two_block_cnn_as_published():
    values = resolved()
    assert values["epochs"] == 12
    assert (values["batch_size"], values["optimizer"], values["learning_rate"]) == (
        256,
        "adam",
        1e-3,
    )
    assert (values["dropout"], values["normalization"]) == ([0.25, 0.2], "minmax")
    assert resolved(epochs=3)["epochs"] == 3


@pytest.mark.parametrize(
    ("model", "given", "rates"),
    [
        ("two_block_cnn", 0.5, [0.25, 0.5]),
        ("two_block_cnn", [0.3, 0.6], [0.3, 0.6]),
        ("two_block_cnn", 0, [0.25, 0]),
        ("three_block_cnn", None, [0, 0, 0]),
        ("three_block_cnn", 0.3, [0, 0, 0.3]),
        ("mnist_cnn", None, []),
        ("vgg16", None, [0.5]),
    ],
)
def test_dropout_is_one_number_or_a_list(model, given, rates):
    assert resolved(model=model, dropout=given)["dropout"] == rates


def test_vgg16_as_published():
    values = resolved(model="vgg16")
    assert (values["epochs"], values["batch_size"], values["optimizer"]) == (30, 20, "rmsprop")
    assert (values["learning_rate"], values["normalization"]) == (2e-5, "imagenet")
    assert (values["image_size"], values["channels"]) == (150, 3)
    assert values["fine_tune_epochs"] is None
    assert resolved(model="vgg16", augmentation=True)["dropout"] == [0.0]
    values = resolved(model="vgg16", fine_tune_from="block5_conv1")
    assert (values["fine_tune_epochs"], values["fine_tune_learning_rate"]) == (100, 1e-5)


def test_null_everywhere_is_what_a_lite_base_does_well_with(tmp_path):
    """Chosen on validation parts (docs/decisions.md)."""
    values = resolved(model="efficientnet_lite2", dataset=str(tmp_path))
    assert (values["epochs"], values["batch_size"], values["dropout"]) == (20, 32, [0.5])
    assert (values["learning_rate"], values["learning_rate_schedule"]) == (3e-3, "cosine")
    assert (values["label_smoothing"], values["normalization"]) == (0.05, "imagenet")
    assert (values["image_size"], values["resize"], values["channels"]) == (260, "crop", 3)


def test_fast_cnn_as_published():
    values = resolved(model="fast_cnn")
    assert (values["epochs"], values["batch_size"], values["optimizer"]) == (8, 500, "muon")
    assert values["learning_rate_schedule"] == "linear"
    assert (values["augmentation"], values["test_time_views"]) == ("translate", 6)
    assert (values["activation"], values["learning_rate"]) == ("quick_gelu", 0.12)
    assert (values["label_smoothing"], values["weight_decay"]) == (0.2, 0.11)
    plain = resolved(model="fast_cnn", augmentation=False, label_smoothing=0.0, test_time_views=1)
    assert (plain["augmentation"], plain["label_smoothing"]) == ("none", 0)
    assert plain["test_time_views"] == 1
    assert resolved(augmentation="translate", test_time_views=2)["augmentation"] == "translate"


def test_what_no_source_published_is_off():
    values = resolved()
    off = ("learning_rate_schedule", "weight_decay", "label_smoothing", "augmentation")
    assert [values[key] for key in off] == ["constant", 0, 0, "none"]
    assert values["test_time_views"] == 1
    assert resolved(augmentation=True)["augmentation"] == "affine"


def test_ones_own_images_get_the_published_size(tmp_path):
    values = resolved(dataset=str(tmp_path))
    assert (values["image_size"], values["channels"]) == (32, 3)
    values = resolved(dataset=str(tmp_path), image_size=64, channels=1)
    assert (values["image_size"], values["channels"]) == (64, 1)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"model": "two_blok_cnn"}, "model: two_blok_cnn: unknown model; did you mean two_block_cnn?"),
        ({"dataset": "mnist_5"}, "dataset: mnist_5: unknown data set; did you mean mnist_5k?"),
        ({"dataset": "/no/such"}, "dataset: /no/such: no such file or folder"),
        ({"dropout": [0.1]}, "dropout: 1 rates for two_block_cnn, which has 2 places "
                             "(published: [0.25, 0.2])"),
        ({"model": "mnist_cnn", "dropout": 0.5}, "dropout: mnist_cnn has no place for dropout; "
                                                 "leave it null"),
        ({"dataset": "digits", "model": "fashion_pool_cnn"},
         "image_size: 8×8 pixels are too few for fashion_pool_cnn, which needs 11×11; set "
         "image_size to 11 or more"),
        ({"model": "vgg16", "image_size": 31},
         "image_size: 31×31 pixels are too few for vgg16, which needs 32×32; set image_size to 32 "
         "or more"),
        ({"model": "inception_v3", "image_size": 74},
         "image_size: 74×74 pixels are too few for inception_v3, which needs 75×75; set image_size "
         "to 75 or more"),
        ({"model": "vgg16", "channels": 1}, "channels: vgg16 takes 3 channels, not 1"),
        ({"normalization": "imagenet"}, "normalization: imagenet goes with a pretrained base, which "
                                        "two_block_cnn has not; use minmax or standard"),
        ({"fine_tune_from": "conv_1"}, "fine_tune_from: two_block_cnn has no pretrained base to "
                                       "fine-tune; leave it null"),
        ({"model": "vgg16", "fine_tune_epochs": 3}, "fine_tune_epochs: needs fine_tune_from, the "
                                                    "first layer that is trained"),
        ({"model": "vgg16", "pretrained_weights": "a.h5"},
         "pretrained_weights: a.h5: expected imagenet, none, or the absolute path of a file"),
        ({"model": "vgg16", "pretrained_weights": "/no/a.h5"},
         "pretrained_weights: /no/a.h5: no such file"),
        ({"model": "vgg16", "pretrained_weights": "none", "fine_tune_from": "block5_conv1"},
         "fine_tune_from: nothing to fine-tune with pretrained_weights: none"),
        ({"model": "fast_cnn", "activation": "maxout"},
         "activation: maxout needs filters in pairs, and the first of fast_cnn are given by the "
         "data; choose another activation"),
        ({"model": "vgg16", "fine_tune_from": "block5_conv1", "optimizer": "muon"},
         "optimizer: muon gives kernels a length of its own, which would undo the pretrained ones; "
         "fine-tune with another"),
        ({"warmup_epochs": 12}, "warmup_epochs: 12 of 12 epochs leave none to train; make it smaller"),
        ({"early_stopping": 3, "validation_fraction": 0},
         "early_stopping: needs a validation part; set validation_fraction above 0"),
        ({"best_weights": True, "validation_fraction": 0},
         "best_weights: needs a validation part; set validation_fraction above 0"),
        ({"calibration": "temperature", "validation_fraction": 0},
         "calibration: needs a validation part; set validation_fraction above 0"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(changes, line):
    set_parameters(**changes)
    assert refusal("params") == line


@pytest.mark.parametrize(
    ("given", "size"), [(64, 64), ([48, 64], [48, 64]), ([64, 64], 64), (None, 32)]
)
def test_a_size_is_a_number_or_a_pair(tmp_path, given, size):
    own = cuts(dataset=str(tmp_path), image_size=given)["prepare"]
    assert (own.image_size, own.resize) == (size, "stretch")


def test_the_published_way_to_resize_and_ones_own(tmp_path, monkeypatch):
    found = networks.find("two_block_cnn")
    crops = replace(found, published=replace(found.published, resize="crop"))
    monkeypatch.setitem(networks._NETWORKS, "two_block_cnn", crops)
    assert resolved()["resize"] == "stretch"  # a named set that keeps its size
    assert resolved(image_size=32)["resize"] == "crop"
    assert resolved(dataset=str(tmp_path), image_size=None)["resize"] == "crop"
    assert resolved(resize="pad")["resize"] == "pad"
    assert resolved(dataset="mnist_5k", image_size=None)["resize"] == "pad"


def test_a_named_set_of_which_nothing_would_be_left():
    with pytest.raises(PipelineError) as error:
        resolved(dataset="mnist_5k", model="mnist_cnn", resize="crop", image_size=[4, 1000])
    assert str(error.value) == (
        "resize: crop: mnist_5k has 28×28 pixels, of which crop leaves nothing; use stretch"
    )


@pytest.mark.parametrize(("optimizer", "kept"), [("sgd", 0.9), ("rmsprop", 0.9)])
def test_momentum_goes_with_sgd_and_rmsprop(optimizer, kept):
    assert resolved(optimizer=optimizer, momentum=0.9)["momentum"] == kept
    with pytest.raises(PipelineError, match=r"^momentum: goes with sgd and rmsprop, not adam; le"):
        resolved(optimizer="adam")


def test_a_wrong_layer_gets_the_list_of_the_right_ones():
    with pytest.raises(
        PipelineError,
        match=r"^fine_tune_from: block9: unknown layer; the 5 blocks of vgg16 begin at "
        r"block1_conv1, block2_conv1, block3_conv1, block4_conv1, block5_conv1$",
    ):
        resolved(model="vgg16", fine_tune_from="block9")


@pytest.mark.parametrize("number", [-6, 0, 1])
def test_a_wrong_number_of_blocks_gets_the_right_ones(number):
    line = "vgg16 has 5 blocks; expected a number from -1, the last of them, to -5, or a layer's"
    with pytest.raises(PipelineError, match=f"^fine_tune_from: {number}: {line} name$"):
        resolved(model="vgg16", fine_tune_from=number)


def test_a_number_of_blocks_becomes_the_first_layer_of_theirs():
    assert cuts(model="vgg16", fine_tune_from=-1)["train"].fine_tune_from == "block5_conv1"
    assert cuts(model="vgg16", fine_tune_from=-2)["features"].fine_tune_from == "block4_conv1"


def test_a_relative_path_gets_the_absolute_one(workspace):
    (workspace / "photos").mkdir()
    with pytest.raises(PipelineError, match=f"a path has to be absolute: {workspace}/photos"):
        resolved(dataset="photos")


def test_a_stage_gets_what_it_uses_and_no_more():
    before, after = cuts(), cuts(epochs=3, explain_image=5)
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"train", "evaluate", "report"}  # the report shows all of them


def test_a_stage_gets_the_digest_of_its_own_code():
    before, after = cuts(), cuts({**CODE, "features": "another"})
    assert {name: own.code for name, own in before.items()} == CODE
    assert {name for name in before if before[name] != after[name]} == {"features"}
    assert before["features"].model is None  # and still it has one
    assert before["report"].resolved == resolved()


def test_features_run_for_a_frozen_base_without_augmentation_alone():
    def features(**changes):
        return cuts(**changes)["features"]

    assert features().model is None
    assert features(model="vgg16").model == "vgg16"
    assert features(augmentation=True).model is None
    assert features(augmentation=False, pretrained_weights="none").model is None


class TestReplicas:
    def test_a_batch_is_of_all_of_them(self, monkeypatch):
        monkeypatch.delenv("KERAS_BACKEND", raising=False)
        values = resolved(replicas=4, backend="jax")
        assert (values["replicas"], values["batch_size"]) == (4, 256)
        using = {
            name
            for name, own in cuts(replicas=4, backend="jax").items()
            if "replicas" in own.model_dump()
        }
        assert using == {"train", "report"}

    @pytest.mark.parametrize(
        ("replicas", "size", "can"), [(3, 256, "255 or 258 can"), (16, 12, "16 can")]
    )
    def test_one_that_cannot_be_divided_is_refused(self, replicas, size, can):
        set_parameters(replicas=replicas, batch_size=size, backend="jax")
        assert refusal("params") == (
            f"batch_size: {size} cannot be divided over {replicas} replicas; it counts the images "
            f"of all of them: {can}"
        )

    @pytest.mark.parametrize("name", [None, "tensorflow", "torch"])
    def test_other_backends_are_refused_with_the_reason(self, monkeypatch, name):
        monkeypatch.delenv("KERAS_BACKEND", raising=False)
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: True)
        set_parameters(replicas=2, backend=name)
        line = refusal("params")
        assert line.startswith(f"replicas: 2 of them need JAX, not {name or 'tensorflow'}: ")
        assert line.endswith(
            "add `-S backend=jax` (`make setup EXTRA=jax` installs it), or set replicas to 1"
        )

    def test_one_is_what_it_was(self):
        assert resolved(batch_size=7)["replicas"] == 1
