"""The layers that Keras does not have, each registered so that a saved model loads."""

from collections.abc import Callable
from typing import Any, ClassVar

import keras
import numpy as np

MAXOUT_PIECES = 2

# ImageNet's means in the order blue, green, red, as VGG16 was trained with them.
IMAGENET_BGR_MEANS = (103.939, 116.779, 123.68)


@keras.saving.register_keras_serializable(package="stages")
class Maxout(keras.layers.Layer):
    """The largest of neighbouring pairs of channels: (…, 2n) to (…, n).

    Goodfellow et al., arXiv 1302.4389, with two pieces.
    """

    def call(self, inputs: Any) -> Any:
        shape = keras.ops.shape(inputs)
        pairs = keras.ops.reshape(
            inputs, (-1, *shape[1:-1], shape[-1] // MAXOUT_PIECES, MAXOUT_PIECES)
        )
        return keras.ops.max(pairs, axis=-1)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        channels = input_shape[-1]
        assert channels is not None
        return (*input_shape[:-1], channels // MAXOUT_PIECES)


@keras.saving.register_keras_serializable(package="stages")
class QuickGelu(keras.layers.Layer):
    """x · sigmoid(1.702 x), the approximation of gelu by Hendrycks and Gimpel (arXiv 1606.08415,
    section 2)."""

    def call(self, inputs: Any) -> Any:
        return inputs * keras.ops.sigmoid(1.702 * inputs)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape


@keras.saving.register_keras_serializable(package="stages")
class FusedBatchNormalization(keras.layers.BatchNormalization):
    """Keras' layer, trained by the backend's one operation where it has it.

    Keras' own arithmetic goes over the maps ten times, in float32 even where they are in
    bfloat16, which costs a tenth of `fast_cnn`'s step. A model that is only loaded, to predict,
    needs no operation: `pipeline.networks.building` gives it, as `pipeline.backend` has it.
    """

    operation: ClassVar[Callable[..., Any] | None] = None

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        operation = type(self).operation
        if operation is None or not (training and self.trainable):
            return super().call(inputs, training=training, mask=mask)
        channels = (inputs.shape[-1],)
        scale = self.gamma if self.scale else keras.ops.ones(channels)
        offset = self.beta if self.center else keras.ops.zeros(channels)
        scale, offset = (keras.ops.convert_to_tensor(each) for each in (scale, offset))
        fused = operation(inputs, scale, offset, self.epsilon)
        if fused is None:
            return super().call(inputs, training=True, mask=mask)
        outputs, mean, variance = fused
        for moving, now in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(self.momentum * moving + (1 - self.momentum) * now)
        return outputs


@keras.saving.register_keras_serializable(package="stages")
class PaddedMaxPooling2D(keras.layers.Layer):
    """2×2 max pooling of stride 2 over maps with a border of −inf, one wide.

    PyTorch's `MaxPool2d(2, padding=1)`: (n, h, w, c) to
    (n, (h + 2) // 2, (w + 2) // 2, c). Zeros would not do: after tanh or elu a
    whole window can be negative.
    """

    def call(self, inputs: Any) -> Any:
        border = [[0, 0], [1, 1], [1, 1], [0, 0]]
        padded = keras.ops.pad(inputs, border, constant_values=float("-inf"))
        return keras.ops.max_pool(padded, 2, 2, "valid")

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        batch, height, width, channels = input_shape
        assert height is not None
        assert width is not None
        return (batch, (height + 2) // 2, (width + 2) // 2, channels)


@keras.saving.register_keras_serializable(package="stages")
class MoreChannels(keras.layers.Layer):
    """(n, h, w, c) to (n, h, w, channels): zeros in the channels that are new."""

    def __init__(self, channels: int, **options: Any) -> None:
        super().__init__(**options)
        self.channels = channels

    def call(self, inputs: Any) -> Any:
        return keras.ops.pad(inputs, [[0, 0], [0, 0], [0, 0], [0, self.channels - inputs.shape[3]]])

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*input_shape[:-1], self.channels)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "channels": self.channels}


@keras.saving.register_keras_serializable(package="stages")
class ImageNetMeans(keras.layers.Layer):
    """RGB pixels (0…255) to BGR minus ImageNet's means, as VGG16's weights want them."""

    def call(self, inputs: Any) -> Any:
        pixels = keras.ops.cast(inputs, "float32")
        shifted = keras.ops.flip(pixels, axis=-1) - keras.ops.array(IMAGENET_BGR_MEANS, "float32")
        return keras.ops.cast(shifted, self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape


@keras.saving.register_keras_serializable(package="stages")
class IdentityConvolution(keras.initializers.Initializer):
    """The first filters hand their channel on; the others are small random numbers.

    Zagoruyko and Komodakis, arXiv 1706.00388 (Dirac); the random filters are
    uniform within 1 / sqrt(fan in). For kernels (h, w, in, out) of odd size.
    """

    def __call__(self, shape: tuple[int, ...], dtype: Any = None) -> Any:
        height, width, channels, filters = shape
        limit = (height * width * channels) ** -0.5
        random = keras.initializers.RandomUniform(-limit, limit)(shape, "float32")
        kernel = np.array(keras.ops.convert_to_numpy(random))
        same = min(channels, filters)
        kernel[..., :same] = 0
        kernel[height // 2, width // 2, range(same), range(same)] = 1
        return keras.ops.convert_to_tensor(kernel, dtype)
