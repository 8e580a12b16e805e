"""The filters that make small patches of the training images uncorrelated.

As in airbench (Jordan, arXiv 2404.00498, after Page's how to train your
ResNet): the eigenvectors of the patches' covariance, each divided by the root
of its eigenvalue, with both signs, for what follows is a rectifier.
"""

from typing import Any

import keras
import numpy as np

# Pixels of images, evenly spread over the training part, that the covariance is taken of.
PIXELS = 1 << 20
# Added to the eigenvalues: a patch hardly varies in its last directions.
EPSILON = 5e-4


def whitening_kernel(images: np.ndarray, size: int = 2) -> np.ndarray:
    """The kernel of a whitening convolution.

    Args:
        images: float32 (n, height, width, channels), normalised.
        size: of the patches, in pixels a side.

    Returns:
        float32 (size, size, channels, 2 · size² · channels): the filters from
        the largest eigenvalue to the smallest, then their negatives.
    """
    windows = np.lib.stride_tricks.sliding_window_view(images, (size, size), axis=(1, 2))
    patches = np.moveaxis(windows, 3, -1).reshape(-1, size * size * images.shape[-1])
    # Without BLAS, whose sums depend on the number of cores.
    covariance = np.einsum("ni,nj->ij", patches, patches, dtype="float64", optimize=False)
    eigenvalues, vectors = np.linalg.eigh(covariance / len(patches))
    filters = (vectors / np.sqrt(eigenvalues + EPSILON))[:, ::-1]
    kernel = np.concatenate([filters, -filters], axis=1)
    return kernel.reshape(size, size, images.shape[-1], -1).astype("float32")


def fit_whitening(model: keras.Model, images: Any) -> None:
    """Set the model's whitening, where it has one, from the training images.

    Args:
        model: its first layers are the input, the normalisation and perhaps
            the views (`pipeline.networks.views`).
        images: uint8 (n, height, width, channels); may be a memory map.
    """
    layer = next((layer for layer in model.layers if layer.name == "whitening"), None)
    if layer is None:
        return
    count = max(1, PIXELS // (images.shape[1] * images.shape[2]))
    sample = np.asarray(images[:: -(-len(images) // count)])
    normalization = model.get_layer("normalization")
    normalized = keras.ops.convert_to_numpy(keras.ops.cast(normalization(sample), "float32"))
    layer.kernel.assign(whitening_kernel(normalized, layer.kernel_size[0]))
