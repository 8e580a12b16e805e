"""From the files of the named data sets to arrays: a reader a file, its function `read`.

A descriptor names its reader. No reader loads a pickle: CIFAR comes in its
author's binary form.
"""

import importlib

from pipeline.datasets.readers.arrays import Arrays, Paths
from pipeline.datasets.registry import Descriptor
from pipeline.errors import PipelineError


def read(descriptor: Descriptor, paths: Paths) -> Arrays:
    """The arrays of a named data set.

    `paths` has a path for each of the descriptor's files, packed by gzip or not.

    Raises:
        PipelineError: a file of another kind, length or with other labels than
            the descriptor's.
    """
    reader = importlib.import_module(f"{__name__}.{descriptor.reader}")
    arrays: Arrays = reader.read(descriptor, paths)
    shape = arrays.images.shape[1:]
    if shape != descriptor.image_shape:
        raise PipelineError(
            f"{descriptor.title}: images of {'×'.join(map(str, shape))}, "
            f"expected {'×'.join(map(str, descriptor.image_shape))}"
        )
    return arrays
