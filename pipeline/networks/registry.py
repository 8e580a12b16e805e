"""The networks by name, with what was published with each. Nothing here imports Keras.

A network is a function in `pipeline.networks.zoo`, from the normalised images to
what the output layer reads:

    @network(published=Published(epochs=15, batch_size=100), smallest_image=4)
    def mnist_cnn(x, layers):
        x = layers.pool(layers.conv(x, 32))
        ...
        return layers.flatten(x)

`layers` (`pipeline.networks.blocks.Layers`) makes the layers, but any Keras layers will
do; the output layer is added by `pipeline.networks.build`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pipeline.errors import PipelineError, did_you_mean
from pipeline.networks.bases import Base

if TYPE_CHECKING:
    from pipeline.networks.blocks import Layers

    # A Keras tensor (n, height, width, channels) to one that the output layer reads.
    Function = Callable[[Any, "Layers"], Any]


@dataclass(frozen=True)
class Published:
    """What `null` in params.yaml means for a network.

    `image_size` is in pixels a side; a named data set keeps its own size
    unless the network `resizes`. `resize` is how an image gets that size
    (`pipeline.datasets.resizing`). `learning_rate` is the optimizer's step.
    """

    epochs: int
    batch_size: int
    optimizer: str = "adam"
    momentum: float = 0.0
    learning_rate: float = 1e-3
    learning_rate_schedule: str = "constant"
    weight_decay: float = 0.0
    label_smoothing: float = 0.0
    augmentation: str = "none"
    test_time_views: int = 1
    normalization: str = "minmax"
    image_size: int = 32
    resize: Literal["stretch", "crop", "pad"] = "stretch"
    activation: str = "relu"
    resizes: bool = False


@dataclass(frozen=True)
class Network:
    """A network and how it was trained.

    `dropout` has the published rate of each of its places, in order;
    `augmented_dropout` those for training with augmentation, where they differ.
    `smallest_image` is the least number of pixels a side that its arithmetic
    allows. `channels` is the one number that it takes; None takes any.
    """

    name: str
    function: "Function"
    published: Published
    dropout: tuple[float, ...] = ()
    augmented_dropout: tuple[float, ...] | None = None
    smallest_image: int = 1
    channels: int | None = None
    refused_activations: tuple[str, ...] = ()
    base: Base | None = None

    @property
    def module(self) -> str:
        """Where its function stands: the code that decides it."""
        return self.function.__module__


_NETWORKS: dict[str, Network] = {}


def network(**options: Any) -> "Callable[[Function], Function]":
    """Register a function as the network of its name; the options are the fields of `Network`."""

    def register(function: "Function") -> "Function":
        name = function.__name__
        if name in _NETWORKS and _NETWORKS[name].module != function.__module__:
            raise ValueError(f"two networks are called {name}")
        _NETWORKS[name] = Network(name=name, function=function, **options)
        return function

    return register


def networks() -> dict[str, Network]:
    """All networks, sorted by name."""
    import pipeline.networks.zoo  # its modules register themselves

    assert pipeline.networks.zoo
    return dict(sorted(_NETWORKS.items()))


def find(name: str) -> Network:
    """The network of that name.

    Raises:
        PipelineError: there is none; with the nearest right name.
    """
    known = networks()
    if name not in known:
        raise PipelineError(f"model: {name}: unknown model{did_you_mean(name, known)}")
    return known[name]


def check_input(found: Network, height: int, width: int) -> None:
    """Refuse images that are too small.

    Raises:
        PipelineError: with the smallest size.
    """
    least = found.smallest_image
    if min(height, width) < least:
        raise PipelineError(
            f"image_size: {height}×{width} pixels are too few for {found.name}, "
            f"which needs {least}×{least}; set image_size to {least} or more"
        )


def check_activation(found: Network, activation: str) -> None:
    """Refuse an activation that does not go with the network."""
    if activation in found.refused_activations:
        raise PipelineError(
            f"activation: {activation} needs filters in pairs, and the first of {found.name} are "
            "given by the data; choose another activation"
        )


def check_dropout(found: Network, rates: Sequence[float]) -> None:
    """Refuse dropouts of another number than the network has places."""
    places = len(found.dropout)
    if len(rates) != places:
        raise PipelineError(
            f"dropout: {len(rates)} rates for {found.name}, which has "
            f"{places} place{'s' * (places != 1)} (published: {list(found.dropout)})"
        )
