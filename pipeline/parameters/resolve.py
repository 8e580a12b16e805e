"""From params.yaml as written to what each stage uses: nulls filled in, combinations checked."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline import backend
from pipeline.datasets import registry
from pipeline.datasets.resizing import Resize, sides
from pipeline.errors import PipelineError
from pipeline.networks import registry as networks
from pipeline.networks.registry import Network
from pipeline.parameters import lists, parallel
from pipeline.parameters.schema import Parameters
from pipeline.parameters.stages import (
    STAGES,
    FeaturesParameters,
    ReportParameters,
    StageParameters,
    WeightsParameters,
)

# What a preset publishes as a single value; null takes it.
PUBLISHED = (
    "activation",
    "augmentation",
    "batch_size",
    "epochs",
    "label_smoothing",
    "learning_rate",
    "learning_rate_schedule",
    "momentum",
    "normalization",
    "optimizer",
    "test_time_views",
    "weight_decay",
)


def resolve(parameters: Parameters) -> dict[str, Any]:
    """All parameters under params.yaml's names with nothing left to look up.

    `fine_tune_*` stay None without a second phase, `image_size` and `channels`
    where a named data set keeps its own, `pretrained_weights` for a model
    without a base, `early_stopping` where it is off.

    Raises:
        PipelineError: an unknown model or data set, a backend that is not
            installed, or a combination that makes no sense.
    """
    network = networks.find(parameters.model)
    source = registry.find(parameters.dataset)
    values = parameters.model_dump()
    published = network.published
    for key in PUBLISHED:
        if values[key] is None:
            values[key] = getattr(published, key)
    values["dropout"] = _dropout(parameters, network, _changes_images(values))
    values["pretrained_weights"] = _pretrained_weights(parameters, network)
    values |= _fine_tuning(parameters, network)
    values |= _input(parameters, network, source)
    values |= lists.resolved(parameters)
    if parameters.backend:
        backend.chosen(parameters.backend)  # an error now, not after the data are there
    _check_training(parameters, network, values, source)
    parallel.check(parameters.replicas, values["batch_size"], parameters.backend)
    return values


def cut(values: dict[str, Any], code: Mapping[str, str]) -> list[StageParameters]:
    """The resolved parameters as each stage's own part, with the stage's digest of `code`."""
    frozen_base = values["pretrained_weights"] is not None and not _changes_images(values)
    cuts = []
    for stage in STAGES:
        own = {key: values[key] for key in stage.model_fields if key != "code"}
        if stage is FeaturesParameters and not frozen_base:
            own = {"model": None}
        if stage is WeightsParameters and values["pretrained_weights"] is None:
            own["model"] = None
        if stage is ReportParameters:
            own = values
        cuts.append(stage.model_validate({"code": code[stage.stage()], **own}))
    return cuts


def _changes_images(values: Mapping[str, Any]) -> bool:
    """Whether training sees other images than those of data/prepared."""
    return values["augmentation"] != "none" or bool(values["mixup"] or values["cutmix"])


def _dropout(parameters: Parameters, network: Network, augmented: bool) -> list[float]:
    rates = list(network.dropout)
    if augmented and network.augmented_dropout is not None:
        rates = list(network.augmented_dropout)
    given = parameters.dropout
    if given is None:
        return rates
    if not rates:
        raise PipelineError(f"dropout: {parameters.model} has no place for dropout; leave it null")
    if isinstance(given, list):
        networks.check_dropout(network, given)
        return given
    return [*rates[:-1], given]


def _pretrained_weights(parameters: Parameters, network: Network) -> str | None:
    given = parameters.pretrained_weights
    if not network.base or given == "none":
        return None
    if given == "imagenet":
        return given
    if not Path(given).is_absolute():
        raise PipelineError(
            f"pretrained_weights: {given}: expected imagenet, none, or the absolute path of a file"
        )
    if not Path(given).is_file():
        raise PipelineError(f"pretrained_weights: {given}: no such file")
    return given


def _fine_tuning(parameters: Parameters, network: Network) -> dict[str, Any]:
    keys = ("fine_tune_from", "fine_tune_epochs", "fine_tune_learning_rate")
    given = [key for key in keys if getattr(parameters, key) is not None]
    if not given:
        return dict.fromkeys(keys)
    if not network.base:
        raise PipelineError(
            f"{given[0]}: {parameters.model} has no pretrained base to fine-tune; leave it null"
        )
    start = parameters.fine_tune_from
    if start is None:
        raise PipelineError(f"{given[0]}: needs fine_tune_from, the first layer that is trained")
    if parameters.pretrained_weights == "none":
        raise PipelineError("fine_tune_from: nothing to fine-tune with pretrained_weights: none")
    from pipeline.parameters.fine_tuning import first_layer  # Keras: seconds, for this alone

    start = first_layer(start, network)
    return {
        "fine_tune_from": start,
        "fine_tune_epochs": parameters.fine_tune_epochs or network.base.fine_tune_epochs,
        "fine_tune_learning_rate": parameters.fine_tune_learning_rate
        or network.base.fine_tune_learning_rate,
    }


def _input(parameters: Parameters, network: Network, source: registry.DataSource) -> dict[str, Any]:
    size: int | list[int] | None = parameters.image_size
    channels: int | None = parameters.channels
    if size is None and (source.descriptor is None or network.published.resizes):
        size = network.published.image_size
    if network.channels is not None:
        if channels not in (None, network.channels):
            raise PipelineError(
                f"channels: {parameters.model} takes {network.channels} channels, not {channels}"
            )
        channels = network.channels
    if channels is None and source.descriptor is None:
        channels = 3
    own = source.descriptor.image_shape[:2] if source.descriptor else (0, 0)
    height, width = sides(size, own)
    networks.check_input(network, height, width)
    # Where a set keeps its own size there is nothing to be resized.
    resize = parameters.resize or (network.published.resize if size else "stretch")
    refusal = Resize(resize).refusal(own[::-1], height, width) if source.descriptor else None
    if refusal:
        raise PipelineError(f"resize: {resize}: {source.name} has {refusal}; use stretch")
    return {"image_size": size, "channels": channels, "resize": resize}


def _check_training(
    parameters: Parameters, network: Network, values: dict[str, Any], source: registry.DataSource
) -> None:
    if values["normalization"] == "imagenet" and not network.base:
        raise PipelineError(
            f"normalization: imagenet goes with a pretrained base, which {parameters.model} "
            "has not; use minmax or standard"
        )
    networks.check_activation(network, values["activation"])
    if values["optimizer"] not in ("sgd", "rmsprop"):
        if parameters.momentum:
            raise PipelineError(
                f"momentum: goes with sgd and rmsprop, not {values['optimizer']}; leave it null"
            )
        values["momentum"] = 0.0
    if values["optimizer"] == "muon" and values["fine_tune_from"]:
        raise PipelineError(
            "optimizer: muon gives kernels a length of its own, which would undo the pretrained "
            "ones; fine-tune with another"
        )
    if values["warmup_epochs"] >= values["epochs"]:
        raise PipelineError(
            f"warmup_epochs: {values['warmup_epochs']:g} of {values['epochs']} epochs leave "
            "none to train; make it smaller"
        )
    watched = [key for key in ("early_stopping", "best_weights") if values[key]]
    watched += ["calibration"] if values["calibration"] != "none" else []
    has_validation = bool(
        parameters.folds or parameters.validation_fraction > 0 or source.descriptor is None
    )
    if watched and not has_validation:
        raise PipelineError(
            f"{watched[0]}: needs a validation part; set validation_fraction above 0"
        )
