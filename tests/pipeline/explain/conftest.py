"""Small models and images for the tests of what a network sees."""

import keras
import numpy as np
import pytest

from pipeline.networks import build

MINMAX = {"method": "minmax", "mean": [0.0], "variance": [1.0]}


@pytest.fixture(scope="module")
def model() -> keras.Model:
    """A tiny network of three classes for 8×8 grey images, with random weights."""
    keras.utils.set_random_seed(1)
    return build("tiny_cnn", (8, 8, 1), 3, normalization=MINMAX)


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (20, 8, 8, 1), np.uint8)
