"""Following an input through a network: names, shapes, parameters, the smallest size."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from pipeline.errors import PipelineError
from pipeline.networks.architecture import (
    CHOSEN,
    MAXOUT_PIECES,
    ConvBatchNorm,
    Dense,
    Dropout,
    Flatten,
    GlobalPool,
    Layer,
    Network,
    Shape,
    Whitening,
)


@dataclass(frozen=True)
class Traced:
    """One layer of a network at a given input: `output` is (height, width,
    channels) or (units,); `parameters` counts weights and biases."""

    layer: Layer
    output: Shape
    parameters: int


def dropout_rates(network: Network) -> list[float]:
    """The published rate of each place for dropout, from input to output."""
    return [layer.rate for layer in network if isinstance(layer, Dropout)]


def with_dropout(network: Network, rates: list[float]) -> Network:
    """The network with these rates, one for each place."""
    remaining = iter(rates)
    return tuple(
        replace(layer, rate=next(remaining)) if isinstance(layer, Dropout) else layer
        for layer in network
    )


def with_output(network: Network, classes: int, spread: float | None = None) -> Network:
    """The network with its last layer: one sigmoid unit for two classes, else a softmax."""
    if classes == 2:
        return (*network, Dense(1, "sigmoid", "output", spread))
    return (*network, Dense(classes, "softmax", "output", spread))


def named(network: Network) -> Network:
    """The network with a name on every layer: conv_1, pool_1, dense_1 … in order."""
    counts: dict[str, int] = {}
    result = []
    for layer in network:
        kind = "conv" if isinstance(layer, ConvBatchNorm) else type(layer).__name__.lower()
        counts[kind] = counts.get(kind, 0) + 1
        number = "" if isinstance(layer, Flatten | GlobalPool | Whitening) else f"_{counts[kind]}"
        result.append(layer if layer.name else replace(layer, name=f"{kind}{number}"))
    return tuple(result)


def trace(network: Network, input_shape: Shape, activation: str = "relu") -> Iterator[Traced]:
    """Yield every layer with its output shape and parameters for one input shape.

    Raises:
        PipelineError: the maps shrink to nothing: the input is too small; or
            maxout where there is a whitening.
    """
    shape = input_shape
    for layer in named(network):
        pieces = MAXOUT_PIECES if _is_maxout(layer, activation) else 1
        if pieces > 1 and isinstance(layer, Whitening):
            raise PipelineError(
                "activation: maxout needs filters in pairs, and those of the whitening are "
                "given by the data; choose another activation"
            )
        parameters = layer.parameters(shape, pieces)
        shape = layer.output_shape(shape)
        if min(shape) < 1:
            size = "×".join(map(str, input_shape[:2]))
            raise PipelineError(
                f"image_size: an input of {size} pixels is too small for this network: "
                f"nothing is left after {layer.name}"
            )
        yield Traced(layer, shape, parameters)


def count_parameters(
    network: Network, input_shape: Shape, classes: int, activation: str = "relu"
) -> int:
    """How many parameters the network has with its output layer (normalisation aside)."""
    whole = with_output(network, classes)
    return sum(traced.parameters for traced in trace(whole, input_shape, activation))


def smallest_size(network: Network) -> int:
    """The smallest square input, in pixels a side, that the network's arithmetic allows."""
    for size in range(1, 1024):
        try:
            list(trace(network, (size, size, 3)))
        except PipelineError:
            continue
        return size
    raise AssertionError("a network that no input of 1024 pixels fits")


def _is_maxout(layer: Layer, activation: str) -> bool:
    return getattr(layer, "activation", None) == CHOSEN and activation == "maxout"
