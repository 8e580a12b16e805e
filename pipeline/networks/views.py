"""Several views of an image at test time, and the mean of what is said of them.

The two layers are inside the saved model, the first before the normalisation
and the second after the output, so that a prediction is the same wherever the
model is loaded. Between them the batch is larger; what is trained is the part
between (`pipeline.networks.building.single_view`), which sees each image once.
"""

from typing import Any

import keras

VIEWS = (1, 2, 6)
# Pixels of 32 by which the shifted views move, as in airbench.
SHIFT = 1 / 32


@keras.saving.register_keras_serializable(package="stages")
class Views(keras.layers.Layer):
    """(n, h, w, c) to (n · views, h, w, c): each image, then its other views.

    1 view is the image; 2 add its mirror image; 6 add both of them moved by a
    thirty-second up and left, and down and right, with reflected edges. Where
    mirroring makes no sense (`mirror` false) 2 are 1 and 6 are 3.
    """

    def __init__(self, views: int, mirror: bool, **options: Any) -> None:
        super().__init__(**options)
        self.views = views
        self.mirror = mirror

    def call(self, inputs: Any) -> Any:
        found = [inputs]
        if self.views == 6:
            found += [_moved(inputs, -1), _moved(inputs, 1)]
        if self.mirror and self.views > 1:
            found += [keras.ops.flip(view, axis=2) for view in found]
        stacked = keras.ops.stack(found, axis=1)
        return keras.ops.reshape(stacked, (-1, *inputs.shape[1:]))

    def compute_output_spec(self, inputs: Any) -> Any:
        return keras.KerasTensor((None, *inputs.shape[1:]), inputs.dtype)  # pixels stay uint8

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "views": self.views, "mirror": self.mirror}


@keras.saving.register_keras_serializable(package="stages")
class MeanOfViews(keras.layers.Layer):
    """(n · views, classes) probabilities to (n, classes).

    The unmoved image and the moved ones count for half each, as in airbench.
    """

    def __init__(self, views: int, mirror: bool, **options: Any) -> None:
        super().__init__(dtype="float32", **options)
        self.views = views
        self.mirror = mirror

    def call(self, inputs: Any) -> Any:
        weights = [0.5, 0.25, 0.25] if self.views == 6 else [1.0]
        if self.mirror and self.views > 1:
            weights = [weight / 2 for weight in weights * 2]
        together = keras.ops.reshape(inputs, (-1, len(weights), inputs.shape[-1]))
        return keras.ops.sum(together * keras.ops.array(weights)[:, None], axis=1)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (None, *input_shape[1:])

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.pop("dtype")
        return {**config, "views": self.views, "mirror": self.mirror}


def _moved(images: Any, direction: int) -> Any:
    height, width = images.shape[1:3]
    down, right = (max(1, round(size * SHIFT)) for size in (height, width))
    padded = keras.ops.pad(images, [[0, 0], [down, down], [right, right], [0, 0]], "reflect")
    top, left = (0, 0) if direction < 0 else (2 * down, 2 * right)
    return padded[:, top : top + height, left : left + width]
