"""Networks as values: what a layer is, which shapes it makes, how many parameters it has.

A network is a tuple of the small dataclasses below. They need no Keras, so
the stage `params` can refuse an input that is too small, and the report can
list the layers, without TensorFlow's import. `stages.models.build` turns the
same values into Keras layers.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod

from stages.errors import PipelineError

Shape = tuple[int, ...]

ACTIVATIONS = ("relu", "sigmoid", "tanh", "leaky_relu", "elu", "gelu", "maxout")
MAXOUT_PIECES = 2

# The activation of a layer that follows params.yaml's `activation`; a layer
# that was published linear has None and stays linear.
CHOSEN = "chosen"


@dataclass(frozen=True)
class Conv:
    """A 2-D convolution of stride 1, with bias."""

    filters: int
    kernel: int = 3
    padding: str = "same"
    activation: str | None = CHOSEN
    name: str | None = None

    def output_shape(self, shape: Shape) -> Shape:
        height, width, _ = shape
        lost = 0 if self.padding == "same" else self.kernel - 1
        return (height - lost, width - lost, self.filters)

    def parameters(self, shape: Shape, pieces: int) -> int:
        return (self.kernel**2 * shape[2] + 1) * self.filters * pieces


@dataclass(frozen=True)
class Pool:
    """2×2 max pooling of stride 2. `padded` puts a border of −inf, one wide,
    around the maps first, as PyTorch's `padding=1` does (7 becomes 4)."""

    padded: bool = False
    name: str | None = None

    def output_shape(self, shape: Shape) -> Shape:
        height, width, channels = shape
        border = 2 if self.padded else 0
        return ((height + border) // 2, (width + border) // 2, channels)

    def parameters(self, shape: Shape, pieces: int) -> int:
        return 0


@dataclass(frozen=True)
class Whitening:
    """A frozen 2×2 convolution of stride 1 that makes patches of pixels uncorrelated.

    It has two filters, one of each sign, for every number of a patch, fitted
    on the training images (`stages.models.whitening`), and the activation. There
    is no bias to train, so that no gradient has to reach the largest maps.
    """

    kernel: int = 2
    activation: str | None = CHOSEN
    name: str | None = None

    def output_shape(self, shape: Shape) -> Shape:
        height, width, channels = shape
        lost = self.kernel - 1
        return (height - lost, width - lost, 2 * self.kernel**2 * channels)

    def parameters(self, shape: Shape, pieces: int) -> int:
        numbers = self.kernel**2 * shape[2]
        return 2 * numbers**2


@dataclass(frozen=True)
class ConvBatchNorm:
    """A 3×3 convolution that keeps the size, perhaps 2×2 max pooling, batch
    normalisation without a scale, and the activation.

    The convolution has no bias, for the normalisation has one, and begins as
    the identity on its first channels.
    """

    filters: int
    pool: bool = False
    activation: str | None = CHOSEN
    name: str | None = None

    def output_shape(self, shape: Shape) -> Shape:
        height, width, _ = shape
        return (
            (height // 2, width // 2, self.filters) if self.pool else (height, width, self.filters)
        )

    def parameters(self, shape: Shape, pieces: int) -> int:
        # The normalisation has an offset, a moving mean and a moving variance.
        return (9 * shape[2] + 3) * self.filters * pieces


@dataclass(frozen=True)
class GlobalPool:
    """The largest value of each map."""

    name: str | None = None

    def output_shape(self, shape: Shape) -> Shape:
        return shape[2:]

    def parameters(self, shape: Shape, pieces: int) -> int:
        return 0


@dataclass(frozen=True)
class Dropout:
    """A place for dropout, with the rate that was published there."""

    rate: float = 0.0
    name: str | None = None

    def output_shape(self, shape: Shape) -> Shape:
        return shape

    def parameters(self, shape: Shape, pieces: int) -> int:
        return 0


@dataclass(frozen=True)
class Flatten:
    """Maps to one vector, channels last."""

    name: str | None = None

    def output_shape(self, shape: Shape) -> Shape:
        return (prod(shape),)

    def parameters(self, shape: Shape, pieces: int) -> int:
        return 0


@dataclass(frozen=True)
class Dense:
    """A fully connected layer, with bias. `spread` is the standard deviation
    of its first weights; None leaves them to Keras (Glorot's uniform)."""

    units: int
    activation: str | None = CHOSEN
    name: str | None = None
    spread: float | None = None

    def output_shape(self, shape: Shape) -> Shape:
        return (self.units,)

    def parameters(self, shape: Shape, pieces: int) -> int:
        return (shape[0] + 1) * self.units * pieces


Layer = Conv | Pool | Whitening | ConvBatchNorm | GlobalPool | Dropout | Flatten | Dense
Network = tuple[Layer, ...]


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
