"""What is trained: the whole network with its first weights, and its phases one after the other."""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from pipeline.datasets.dropped import dropped
from pipeline.networks import build as build_network
from pipeline.networks import registry
from pipeline.networks.building import seen_once, single_view
from pipeline.networks.graph import base_layers
from pipeline.networks.predicting import EVALUATION_BATCH
from pipeline.networks.whitening import fit_whitening
from pipeline.parameters.stages import TrainParameters
from pipeline.runtime import files, paths
from pipeline.runtime.arrays import load_array
from pipeline.training.batches import Batches, Kept, balanced_weights
from pipeline.training.fitting import Phase
from pipeline.training.share import ALONE, Share

# Of a head on kept maps: 0.79 of the processor's time for VGG16's, the same bytes.
STEPS_AT_ONCE = 100


def build(parameters: TrainParameters, dataset: dict[str, Any]) -> keras.Model:
    """The whole network with its first weights: random, and the base's from data/weights."""
    height, width, channels = dataset["image_shape"]
    model = build_network(
        parameters.model,
        (height, width, channels),
        len(dataset["classes"]),
        dropout=parameters.dropout or None,
        activation=parameters.activation,
        normalization=dataset["normalization"],
        views=parameters.test_time_views,
        mirror=dataset["mirrored"],
    )
    images, left_out = load_array(paths.PREPARED / "train_images.npy"), dropped()
    fit_whitening(model, Kept(images, left_out) if left_out else images)
    if parameters.pretrained_weights:
        from pipeline.pretrained.weights import load_into

        load_into(model, paths.WEIGHTS)
    return model


def training_batches(
    inputs: np.ndarray,
    parameters: TrainParameters,
    dataset: dict[str, Any],
    share: Share = ALONE,
) -> Batches:
    """The training part in batches, as the parameters draw them, without what is left out of it.

    Args:
        inputs: the training images, or the maps that are kept of them.
    """
    labels, left_out = load_array(paths.PREPARED / "train_labels.npy"), dropped()
    labels = np.delete(labels, left_out, axis=0) if left_out else labels
    return Batches(
        Kept(inputs, left_out) if left_out else inputs,
        labels,
        parameters.batch_size,
        seed=parameters.seed,
        shuffle=True,
        augmentation=parameters.augmentation,
        mirror=dataset["mirrored"],
        mixup=parameters.mixup,
        cutmix=parameters.cutmix,
        class_weights=balanced_weights(labels) if parameters.class_weights else None,
        share=share,
    )


def phases(
    model: keras.Model,
    parameters: TrainParameters,
    dataset: dict[str, Any],
    share: Share = ALONE,
) -> Iterator[Phase]:
    """What is trained, one phase after the other.

    A network that starts from nothing has one phase. With a pretrained base
    the first trains the head; the second, if asked for, the layers from
    `fine_tune_from` on. Both run on the maps that the stage `features` has
    kept, where there are any, so that the frozen layers run once.
    """
    labels = load_array(paths.PREPARED / "validation_labels.npy")

    def phase(name: str, kept: str | None, epochs: int, learning_rate: float) -> Phase:
        folder, source, part_of_model = paths.PREPARED, "{}_images.npy", single_view(model)
        layer = kept_layer(kept) if kept else None
        if layer:
            folder, source = paths.FEATURES, f"{{}}_{kept}.npy"
            part_of_model = keras.Model(model.get_layer(layer).output, seen_once(model)[1])
        inputs = {
            part: load_array(folder / source.format(part)) for part in ("train", "validation")
        }
        validation = None
        if len(labels):
            validation = Batches(inputs["validation"], labels, EVALUATION_BATCH, share=share)
        return Phase(
            name=name,
            model=part_of_model,
            train=training_batches(inputs["train"], parameters, dataset, share),
            validation=validation,
            epochs=epochs,
            optimizer=parameters.optimizer,
            momentum=parameters.momentum,
            weight_decay=parameters.weight_decay,
            learning_rate=learning_rate,
            learning_rate_schedule=parameters.learning_rate_schedule,
            warmup_epochs=parameters.warmup_epochs,
            label_smoothing=parameters.label_smoothing,
            early_stopping=parameters.early_stopping,
            best_weights=parameters.best_weights,
            ema=parameters.ema,
            mixed=bool(parameters.mixup or parameters.cutmix),
            steps_at_once=STEPS_AT_ONCE if layer and name == "head" else 1,
        )

    if not parameters.pretrained_weights:
        yield phase("train", None, parameters.epochs, parameters.learning_rate)
        return
    found = registry.find(parameters.model).base
    assert found is not None
    base = base_layers(model, found.end)
    rates = {layer.name: layer.rate for layer in base if isinstance(layer, keras.layers.Dropout)}
    for layer in base:
        _train(layer, 0.0 if layer.name in rates else None, trained=False)
    yield phase("head", "maps", parameters.epochs, parameters.learning_rate)
    if parameters.fine_tune_from is None:
        return
    names = [layer.name for layer in base]
    for layer in base[names.index(parameters.fine_tune_from) :]:
        _train(layer, rates.get(layer.name), trained=True)
    assert parameters.fine_tune_epochs is not None
    assert parameters.fine_tune_learning_rate is not None
    yield phase(
        "fine_tune", "below", parameters.fine_tune_epochs, parameters.fine_tune_learning_rate
    )


def _train(layer: keras.layers.Layer, rate: float | None, *, trained: bool) -> None:
    """Train a layer of a pretrained base, or freeze it: it then does in training what it does in
    prediction. So does batch normalisation even in layers that are trained, for a few small
    batches would spoil its means.

    Args:
        rate: of a dropout; None for other layers.
    """
    layer.trainable = trained and not isinstance(layer, keras.layers.BatchNormalization)
    if rate is not None:
        layer.rate = rate


def kept_layer(kind: str) -> str | None:
    """The layer whose maps the stage `features` has kept as `kind` (maps, below); None without."""
    if not (paths.FEATURES / f"train_{kind}.npy").exists():
        return None
    layer: str = files.read_json(paths.FEATURES / "features.json")[kind]["layer"]
    return layer


def kept_maps(parameters: TrainParameters) -> tuple[str, str] | None:
    """The kind of kept maps, and their layer, of which the trained model's answers follow."""
    kind = "below" if parameters.fine_tune_from else "maps"
    layer = kept_layer(kind) if parameters.pretrained_weights else None
    return (kind, layer) if layer else None
