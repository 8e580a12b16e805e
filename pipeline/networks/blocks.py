"""The layers that the networks are made of, numbered by kind, with the run's choices in them."""

from collections.abc import Sequence
from typing import Any

import keras

from pipeline.networks import layers

LEAKY_RELU_SLOPE = 0.1
# The activation of a layer that follows params.yaml's `activation`; a layer
# that was published linear has None and stays linear.
CHOSEN = "chosen"


class Layers:
    """Makes layers for one network; each method takes a Keras tensor and returns one.

    Layers are called conv_1, pool_1, dense_1 … in the order in which they are made.

    Args:
        activation: what takes the place of the relus.
        rates: of the dropouts, one for each place, in order.
    """

    def __init__(self, activation: str, rates: Sequence[float]) -> None:
        self.function = activation
        self.output_initializer: Any = "glorot_uniform"
        self._rates = list(rates)
        self._counts: dict[str, int] = {}

    def conv(
        self,
        x: Any,
        filters: int,
        kernel: int = 3,
        *,
        padding: str = "same",
        activation: str | None = CHOSEN,
    ) -> Any:
        """A convolution of stride 1, with bias."""
        name = self._named("conv")
        chosen = self._chosen(activation)
        function = None if chosen in _OWN_LAYERS else chosen
        convolution = keras.layers.Conv2D(
            filters * _pieces(chosen), kernel, padding=padding, activation=function, name=name
        )
        return _activated(convolution(x), chosen, name)

    def dense(self, x: Any, units: int, *, activation: str | None = CHOSEN) -> Any:
        """A fully connected layer, with bias."""
        name = self._named("dense")
        chosen = self._chosen(activation)
        function = None if chosen in _OWN_LAYERS else chosen
        dense = keras.layers.Dense(units * _pieces(chosen), activation=function, name=name)
        return _activated(dense(x), chosen, name)

    def pool(self, x: Any, *, padded: bool = False) -> Any:
        """2×2 max pooling of stride 2; `padded` puts a border of −∞, one wide, around the maps
        first, as PyTorch's `padding=1` does (7 becomes 4)."""
        kind = layers.PaddedMaxPooling2D if padded else keras.layers.MaxPooling2D
        return kind(name=self._named("pool"))(x)

    def start_output(self, spread: float) -> None:
        """Let the output layer's first weights be normal with this standard deviation, in
        place of Glorot's uniform."""
        self.output_initializer = keras.initializers.RandomNormal(stddev=spread)

    def dropout(self, x: Any) -> Any:
        """A place for dropout, with the next of the rates."""
        return keras.layers.Dropout(self._rates.pop(0), name=self._named("dropout"))(x)

    def flatten(self, x: Any) -> Any:
        """Maps to one vector, channels last."""
        return keras.layers.Flatten(name="flatten")(x)

    def global_max_pool(self, x: Any) -> Any:
        """The largest value of each map."""
        return keras.layers.GlobalMaxPooling2D(name="globalpool")(x)

    def whitening(self, x: Any, kernel: int = 2) -> Any:
        """A frozen convolution that makes patches of pixels uncorrelated, and the activation.

        It has two filters, one of each sign, for every number of a patch, fitted on the
        training images (`pipeline.networks.whitening`). There is no bias to train, so that
        no gradient has to reach the largest maps.
        """
        filters = 2 * kernel**2 * x.shape[-1]
        convolution = keras.layers.Conv2D(
            filters, kernel, use_bias=False, trainable=False, name="whitening"
        )
        return self.activation(convolution(x), "whitening")

    def conv_batch_norm(self, x: Any, filters: int, *, pool: bool = False) -> Any:
        """A 3×3 convolution that keeps the size, perhaps 2×2 max pooling, batch
        normalisation without a scale, and the activation.

        The convolution has no bias, for the normalisation has one, and begins as
        the identity on its first channels.
        """
        name = self._named("conv")
        convolution = keras.layers.Conv2D(
            filters * _pieces(self.function),
            3,
            padding="same",
            use_bias=False,
            kernel_initializer=layers.IdentityConvolution(),
            name=name,
        )
        x = convolution(x)
        if pool:
            x = keras.layers.MaxPooling2D(name=f"{name}_pool")(x)
        # A short memory: training has few steps.
        norm = layers.FusedBatchNormalization(
            scale=False, momentum=0.6, epsilon=1e-5, name=f"{name}_norm"
        )
        return self.activation(norm(x), name)

    def activation(self, x: Any, name: str) -> Any:
        """The run's activation as a layer of its own, after the layer `name`."""
        if self.function in _OWN_LAYERS:
            return _activated(x, self.function, name)
        layer = keras.layers.Activation(self.function, name=f"{name}_{self.function}")
        return layer(x)

    def _chosen(self, activation: str | None) -> str | None:
        return self.function if activation == CHOSEN else activation

    def _named(self, kind: str) -> str:
        self._counts[kind] = self._counts.get(kind, 0) + 1
        return f"{kind}_{self._counts[kind]}"


# The activations that Keras has, or we have, as layers alone.
_OWN_LAYERS = ("leaky_relu", "maxout", "quick_gelu")


def _pieces(activation: str | None) -> int:
    return layers.MAXOUT_PIECES if activation == "maxout" else 1


def _activated(x: Any, activation: str | None, name: str) -> Any:
    if activation == "maxout":
        return layers.Maxout(name=f"{name}_maxout")(x)
    if activation == "leaky_relu":
        return keras.layers.LeakyReLU(LEAKY_RELU_SLOPE, name=f"{name}_leaky_relu")(x)
    if activation == "quick_gelu":
        return layers.QuickGelu(name=f"{name}_quick_gelu")(x)
    return x
