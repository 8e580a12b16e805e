"""Networks as values: what a layer is, which shapes it makes, how many parameters it has.

A network is a tuple of the small dataclasses below. They need no Keras, so
the stage `params` can refuse an input that is too small, and the report can
list the layers, without TensorFlow's import. `pipeline.networks.tracing` follows an
input through them; `pipeline.networks.build` turns the same values into Keras layers.
"""

from dataclasses import dataclass
from math import prod

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
    on the training images (`pipeline.networks.whitening`), and the activation. There
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
