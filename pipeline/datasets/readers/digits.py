"""The digits of scikit-learn's package."""

import numpy as np

from pipeline.datasets.readers.arrays import Arrays, Contents
from pipeline.datasets.registry import Descriptor


def read(descriptor: Descriptor, contents: Contents) -> Arrays:
    """scikit-learn's digits: 0…16 brought to 0…255."""

    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = np.rint(bunch.images * (255 / 16)).astype("uint8")[..., None]
    return Arrays(images, bunch.target.astype("int64"))
