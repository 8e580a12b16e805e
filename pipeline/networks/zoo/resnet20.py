"""A residual network of 20 layers for pictures of 32×32 pixels.

He and others, Deep residual learning for image recognition (arXiv 1512.03385, section 4.2): 0.27
million parameters; 91.25% on CIFAR-10's test images after 64,000 steps. Two things differ from
the paper: the learning rate falls along a cosine and not in two steps, and the weights decay
beside the gradient and not through its momentum, which a ten times larger decay makes up for.
"""

from typing import Any

from pipeline.networks.registry import Published, network


@network(
    published=Published(
        epochs=182,  # 64,000 steps over 45,000 images
        batch_size=128,
        optimizer="sgd",
        momentum=0.9,
        learning_rate=0.1,
        learning_rate_schedule="cosine",
        weight_decay=1e-3,
        augmentation="translate",
        normalization="standard",
    ),
    smallest_image=4,
    refused_activations=("maxout",),
)
def resnet20(x: Any, layers: Any) -> Any:
    from keras.layers import GlobalAveragePooling2D

    x = layers.activation(_convolution(x, 16, 1, "stem"), "stem")
    for stage, filters in enumerate((16, 32, 64), start=1):
        for block in range(1, 4):
            stride = 2 if stage > 1 and block == 1 else 1
            x = _block(x, layers, filters, stride, f"stage{stage}_block{block}")
    return GlobalAveragePooling2D(name="globalpool")(x)


def _block(x: Any, layers: Any, filters: int, stride: int, name: str) -> Any:
    """Two convolutions, and a way around them without parameters (the paper's option A)."""
    from keras.layers import Add, AveragePooling2D

    from pipeline.networks.layers import MoreChannels

    around = x
    if stride > 1:
        around = AveragePooling2D(1, strides=stride, padding="same", name=f"{name}_skip")(x)
        around = MoreChannels(filters, name=f"{name}_skip_channels")(around)
    x = layers.activation(_convolution(x, filters, stride, f"{name}_1"), f"{name}_1")
    x = _convolution(x, filters, 1, f"{name}_2")
    return layers.activation(Add(name=f"{name}_add")([around, x]), name)


def _convolution(x: Any, filters: int, stride: int, name: str) -> Any:
    from keras.layers import BatchNormalization, Conv2D

    convolution = Conv2D(
        filters,
        3,
        strides=stride,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        name=f"{name}_conv",
    )
    return BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{name}_norm")(convolution(x))
