"""The published networks, each with the settings that were published with it.

Sources, as the README's table of published rows names them: the course notes'
tuning log (two_block_cnn), KISTI's lecture 14 (double_conv_cnn), the day-7
notes (three_block_cnn), the course notes on Fashion-MNIST (fashion_*), the
PyTorch notes on MNIST (mnist_*), and for VGG16 Simonyan and Zisserman
(arXiv 1409.1556) with the recipe of Chollet's book, first edition, chapter 5.
Where a source gives no figure (the optimizer of the course notes, everything
of tiny_cnn), Keras' default stands: adam at 1e-3. fast_cnn is our own, after
airbench94_muon (Jordan, arXiv 2404.00498 and its repository), narrower and with
smaller batches, for processors and small sets of images.
"""

from dataclasses import dataclass

from pipeline.networks.architecture import (
    Conv,
    ConvBatchNorm,
    Dense,
    Dropout,
    Flatten,
    GlobalPool,
    Network,
    Pool,
    Whitening,
)


@dataclass(frozen=True)
class Published:
    """What `null` in params.yaml means for a preset.

    `image_size` is in pixels a side; a named data set keeps its own size
    unless the preset says `resizes`. `learning_rate` is the optimizer's step.
    """

    epochs: int
    batch_size: int
    optimizer: str = "adam"
    learning_rate: float = 1e-3
    learning_rate_schedule: str = "constant"
    weight_decay: float = 0.0
    label_smoothing: float = 0.0
    augmentation: str = "none"
    test_time_views: int = 1
    normalization: str = "minmax"
    image_size: int = 32
    activation: str = "relu"
    resizes: bool = False


@dataclass(frozen=True)
class Preset:
    """A network without its output layer, and how it was trained.

    `base` is a convolutional base with ImageNet weights, frozen while the
    `network` on top of it is trained; it is empty for networks that start from
    nothing. `augmented_dropout` are the rates published for training with
    augmentation, where they differ. `channels` is the one number of channels
    that the network takes; None takes any. `fine_tune_epochs` and
    `fine_tune_learning_rate` belong to the second phase of a preset with a base.
    """

    network: Network
    published: Published
    base: Network = ()
    channels: int | None = None
    smallest_image: int = 1
    output_spread: float | None = None
    augmented_dropout: tuple[float, ...] | None = None
    fine_tune_epochs: int = 0
    fine_tune_learning_rate: float = 0.0


def _vgg16_base() -> Network:
    layers: list[Conv | Pool] = []
    for block, (convolutions, filters) in enumerate(
        [(2, 64), (2, 128), (3, 256), (3, 512), (3, 512)], start=1
    ):
        layers += [
            Conv(filters, activation="relu", name=f"block{block}_conv{number}")
            for number in range(1, convolutions + 1)
        ]
        layers.append(Pool(name=f"block{block}_pool"))
    return tuple(layers)


PRESETS: dict[str, Preset] = {
    "tiny_cnn": Preset(
        network=(
            Conv(10, 3, "valid", activation=None),
            Conv(7, 2, "valid"),
            Flatten(),
            Dense(32),
        ),
        published=Published(epochs=30, batch_size=32, image_size=8),
    ),
    "mnist_cnn": Preset(
        network=(Conv(32), Pool(), Conv(64), Pool(), Flatten()),
        published=Published(epochs=15, batch_size=100, image_size=28),
    ),
    "mnist_deep_cnn": Preset(
        network=(
            Conv(32),
            Pool(),
            Conv(64),
            Pool(),
            Conv(128),
            Pool(padded=True),
            Flatten(),
            Dense(625),
            Dropout(0.5),
        ),
        published=Published(epochs=15, batch_size=100, image_size=28),
    ),
    "fashion_cnn": Preset(
        network=(
            Conv(32, 3, "valid", activation=None),
            Conv(64, 3, "valid"),
            Flatten(),
            Dense(256),
            Dense(128),
        ),
        published=Published(epochs=10, batch_size=256, image_size=28),
    ),
    "fashion_pool_cnn": Preset(
        network=(
            Conv(32, 4, "valid"),
            Pool(),
            Conv(64, 3, "valid"),
            Pool(),
            Dropout(0.2),
            Flatten(),
            Dense(256),
            Dense(128),
        ),
        published=Published(epochs=10, batch_size=256, image_size=28),
    ),
    # The notes' variation: the first dense layer without an activation.
    "fashion_pool_linear_cnn": Preset(
        network=(
            Conv(32, 4, "valid"),
            Pool(),
            Conv(64, 3, "valid"),
            Pool(),
            Dropout(0.2),
            Flatten(),
            Dense(256, activation=None),
            Dense(128),
        ),
        published=Published(epochs=10, batch_size=256, image_size=28),
    ),
    "three_block_cnn": Preset(
        network=(
            Conv(32),
            Pool(),
            Dropout(0.0),
            Conv(64),
            Pool(),
            Dropout(0.0),
            Conv(256),
            Pool(),
            Dropout(0.0),
            Flatten(),
            Dense(256),
        ),
        published=Published(epochs=30, batch_size=256),
    ),
    "double_conv_cnn": Preset(
        network=(Conv(32), Conv(32), Pool(), Dropout(0.5), Flatten(), Dense(128)),
        published=Published(epochs=10, batch_size=10),
    ),
    "two_block_cnn": Preset(
        network=(
            Conv(64),
            Pool(),
            Dropout(0.25),
            Conv(128),
            Pool(),
            Dropout(0.2),
            Flatten(),
            Dense(256),
            Dense(128),
        ),
        # Where the notes begin; their tuning log ends at 0.1 and 0.8, 50 epochs, batches of 128.
        published=Published(epochs=10, batch_size=256),
    ),
    # Accuracies: validation with the mirrored view after three epochs of 45,000 CIFAR-10
    # images (JPEG copies) at 24 pixels in mixed_bfloat16, one seed, each a single change
    # to 256 filters and rectifiers at 0.12 (0.851).
    "fast_cnn": Preset(
        network=(
            Whitening(),
            ConvBatchNorm(64, pool=True),
            ConvBatchNorm(64),
            # airbench has 256, a third more work, for 0.851 in place of 0.850.
            ConvBatchNorm(192, pool=True),
            ConvBatchNorm(192),
            ConvBatchNorm(256, pool=True),
            ConvBatchNorm(256),
            GlobalPool(),
        ),
        output_spread=1 / 256,
        published=Published(
            epochs=8,
            batch_size=500,
            optimizer="muon",
            # Half of airbench's, whose batches are four times as large: 0.851 in place of 0.845.
            learning_rate=0.12,
            learning_rate_schedule="linear",
            weight_decay=0.11,
            label_smoothing=0.2,
            augmentation="translate",
            test_time_views=6,
            normalization="standard",
            activation="gelu",  # 0.863 in place of 0.851 with rectifiers, at 1.13 times the time
        ),
    ),
    "vgg16": Preset(
        base=_vgg16_base(),
        network=(Flatten(), Dense(256), Dropout(0.5)),
        published=Published(
            epochs=30,
            batch_size=20,
            optimizer="rmsprop",
            learning_rate=2e-5,
            # The chapter divided by 255; these weights want their own means,
            # which is worth seven points on cats and dogs (README, VGG16).
            normalization="imagenet",
            image_size=150,
            resizes=True,
        ),
        channels=3,
        smallest_image=32,
        augmented_dropout=(0.0,),
        fine_tune_epochs=100,
        fine_tune_learning_rate=1e-5,
    ),
}
