"""What of a pretrained base is trained in which phase."""

import keras
import numpy as np
import pytest

from pipeline.networks import build, registry
from pipeline.networks.graph import base_layers
from pipeline.parameters.stages import TrainParameters
from pipeline.runtime import files, paths
from pipeline.training.phases import phases
from tests.pipeline.networks.support import IMAGENET, marked
from tests.support import run_here, set_parameters, write_prepared

FIRST = {
    "mobilenet_v3_small": "expanded_conv_10_expand",
    "efficientnet_v2_b0": "block6h_expand_conv",  # it has dropouts of its own
}


@pytest.mark.parametrize("name", marked(list(FIRST)))
def test_what_is_frozen_does_in_training_what_it_does_in_prediction(name, workspace) -> None:
    size = registry.find(name).smallest_image
    set_parameters(model=name, image_size=size, fine_tune_from=-1)
    assert run_here("params").status == 0
    dataset = write_prepared(classes=2, size=size, channels=3, counts=(8, 4, 4))
    model = build(name, (size, size, 3), 2, normalization=IMAGENET)
    base = base_layers(model, registry.find(name).base.end)
    rates = {each.name: each.rate for each in base if isinstance(each, keras.layers.Dropout)}
    parameters = TrainParameters.read()
    assert parameters.fine_tune_from == FIRST[name]

    following = phases(model, parameters, dataset)
    assert next(following).name == "head"
    assert [each.name for each in model.layers if each.trainable_weights] == ["output"]
    assert not any(each.rate for each in base if each.name in rates)

    assert next(following).name == "fine_tune"
    trained = [each.name for each in base if each.trainable_weights]
    first = [each.name for each in base].index(FIRST[name])
    assert trained[0] == FIRST[name]
    kinds = {type(each).__name__ for each in base if each.trainable_weights}
    assert "BatchNormalization" not in kinds
    assert any(isinstance(each, keras.layers.BatchNormalization) for each in base[first:])
    for place, each in enumerate(base):
        if each.name in rates:
            assert each.rate == (rates[each.name] if place > first else 0)
    assert list(following) == []

    # The head's step is short where it reads kept maps, and there alone many are one call.
    layer = registry.find(name).base.end
    shape = model.get_layer(layer).output.shape[1:]
    for part, count in (("train", 8), ("validation", 4)):
        np.save(paths.FEATURES / f"{part}_maps.npy", np.zeros((count, *shape), "float32"))
    files.write_json(paths.FEATURES / "features.json", {"maps": {"layer": layer}, "below": None})
    following = phases(model, parameters, dataset)
    assert [each.steps_at_once > 1 for each in following] == [True, False]
