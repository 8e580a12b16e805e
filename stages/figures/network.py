"""The network as a table: what each layer is, what comes out, how many parameters."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from stages.models import architecture, tracing
from stages.models.architecture import CHOSEN, Layer
from stages.models.presets import PRESETS


@dataclass(frozen=True)
class Row:
    """One layer: its name, what it is in words, its output's shape, and its parameters.

    `trained` is yes, 'second phase' (fine-tuning), no (frozen), or empty where
    there is nothing to train.
    """

    name: str
    what: str
    output: tuple[int, ...]
    parameters: int
    trained: str


def layer_table(
    parameters: Mapping[str, Any], image_shape: Sequence[int], classes: int
) -> list[Row]:
    """The layers of the resolved parameters' model, from its input to its output."""
    preset = PRESETS[parameters["model"]]
    height, width, channels = image_shape
    rows = [_normalization(parameters["normalization"], (height, width, channels))]
    network = tracing.with_output(
        preset.base + tracing.with_dropout(preset.network, parameters["dropout"]), classes
    )
    activation = parameters["activation"]
    second_phase = False
    for number, traced in enumerate(tracing.trace(network, (height, width, channels), activation)):
        name = traced.layer.name or ""
        second_phase = second_phase or name == parameters["fine_tune_from"]
        frozen = number < len(preset.base) and parameters["pretrained_weights"] is not None
        trained = "second phase" if frozen and second_phase else "no" if frozen else "yes"
        rows.append(
            Row(
                name,
                _describe(traced.layer, activation),
                traced.output,
                traced.parameters,
                trained if traced.parameters else "",
            )
        )
    return rows


def total(rows: Sequence[Row]) -> int:
    """The parameters of all layers."""
    return sum(row.parameters for row in rows)


def _normalization(method: str, shape: tuple[int, int, int]) -> Row:
    what, count = {
        "minmax": ("pixels divided by 255", 0),
        # Keras' layer keeps a mean and a variance a channel, and how often it was fitted.
        "standard": ("each channel to mean 0 and variance 1", 2 * shape[2] + 1),
        "imagenet": ("blue, green, red, less the means of ImageNet", 0),
    }[method]
    return Row("normalization", what, shape, count, "no" if count else "")


def _describe(layer: Layer, chosen: str) -> str:
    activation = getattr(layer, "activation", None)
    function = chosen if activation == CHOSEN else activation or "linear"
    match layer:
        case architecture.Conv():
            size = f"{layer.kernel}×{layer.kernel}"
            return f"convolution, {layer.filters} filters of {size}, {layer.padding}, {function}"
        case architecture.Pool():
            border = " with a border of −∞" if layer.padded else ""
            return f"the largest of each 2×2{border}"
        case architecture.Whitening():
            size = f"{layer.kernel}×{layer.kernel}"
            return f"whitening of {size} patches, fitted on the training images, bias, {function}"
        case architecture.ConvBatchNorm():
            pooled = "the largest of each 2×2, " if layer.pool else ""
            return (
                f"convolution, {layer.filters} filters of 3×3, same, without bias, {pooled}"
                f"batch normalisation, {function}"
            )
        case architecture.GlobalPool():
            return "the largest value of each map"
        case architecture.Dropout():
            return f"dropout, {layer.rate:g} of the values"
        case architecture.Flatten():
            return "maps to one vector"
        case architecture.Dense():
            noun = "unit" if layer.units == 1 else "units"
            return f"dense, {layer.units} {noun}, {function}"
    return ", ".join(f"{key} {value}" for key, value in asdict(layer).items() if key != "name")
