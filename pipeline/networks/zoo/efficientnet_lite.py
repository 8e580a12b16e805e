"""EfficientNet-Lite's convolutional bases under one dense layer.

Tan and Le, EfficientNet (arXiv 1905.11946), in the form that Google published for phones:
without squeeze-and-excite, with ReLU6, and with a stem, a first stage and a head that are
not scaled. Every convolution is followed by a batch normalisation, and padded as TensorFlow
pads ("same").
"""

import math
from typing import Any

from pipeline.networks.registry import Base, Published, network

# For each stage of B0: kernel, stride of its first block, expansion, filters, blocks.
STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
STEM_FILTERS = 32
HEAD_FILTERS = 1280
# Filters are rounded to a multiple of it.
DIVISOR = 8
EPSILON = 1e-3
END = "head_relu"


def lite(x: Any, width: float, depth: float) -> Any:
    """The base, from normalised images to (n, h / 32, w / 32, 1280) maps."""
    x = _convolution(x, STEM_FILTERS, 3, 2, "stem")
    for stage, (kernel, stride, expansion, filters, blocks) in enumerate(STAGES, start=1):
        if stage not in (1, len(STAGES)):
            blocks = math.ceil(depth * blocks)
        for block in range(1, blocks + 1):
            step = stride if block == 1 else 1
            x = _block(x, kernel, step, expansion, scaled(filters, width), f"block{stage}_{block}")
    return _convolution(x, HEAD_FILTERS, 1, 1, "head")


def scaled(filters: int, width: float) -> int:
    """`width` times as many filters, as a multiple of 8, and never by more than a tenth less."""
    wanted = filters * width
    rounded = max(DIVISOR, int(wanted + DIVISOR / 2) // DIVISOR * DIVISOR)
    return rounded if rounded >= 0.9 * wanted else rounded + DIVISOR


def _block(x: Any, kernel: int, stride: int, expansion: int, filters: int, name: str) -> Any:
    """More channels, a convolution of each for itself, fewer channels; and a way around."""
    from keras.layers import Add, Conv2D, DepthwiseConv2D

    around, channels = x, x.shape[-1]
    if expansion > 1:
        x = _convolution(x, channels * expansion, 1, 1, f"{name}_expand")
    depthwise = DepthwiseConv2D(
        kernel, strides=stride, padding="same", use_bias=False, name=f"{name}_depthwise"
    )
    x = _relu(_norm(depthwise(x), f"{name}_depthwise"), f"{name}_depthwise")
    project = Conv2D(filters, 1, use_bias=False, name=f"{name}_project")
    x = _norm(project(x), f"{name}_project")
    if stride == 1 and filters == channels:
        x = Add(name=f"{name}_add")([around, x])
    return x


def _convolution(x: Any, filters: int, kernel: int, stride: int, name: str) -> Any:
    from keras.layers import Conv2D

    convolution = Conv2D(
        filters, kernel, strides=stride, padding="same", use_bias=False, name=f"{name}_conv"
    )
    return _relu(_norm(convolution(x), name), name)


def _norm(x: Any, name: str) -> Any:
    from keras.layers import BatchNormalization

    return BatchNormalization(epsilon=EPSILON, name=f"{name}_norm")(x)


def _relu(x: Any, name: str) -> Any:
    from keras.layers import ReLU

    return ReLU(6.0, name=f"{name}_relu")(x)
