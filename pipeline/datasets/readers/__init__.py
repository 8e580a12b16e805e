"""From the files of the named data sets to arrays: a reader a file, its function `read`.

A descriptor names its reader. No reader loads a pickle: CIFAR comes in its
author's binary form.
"""

import importlib

from pipeline.datasets.contents import contents
from pipeline.datasets.readers.arrays import Arrays, Contents, Paths
from pipeline.datasets.registry import Descriptor
from pipeline.errors import PipelineError


def read(descriptor: Descriptor, paths: Paths) -> Arrays:
    """The arrays of a named data set.

    `paths` has for each of the descriptor's files what holds its contents, see
    `pipeline.datasets.contents`.

    Raises:
        PipelineError: contents that are not there, or of another kind, length or
            with other labels than the descriptor's.
    """
    found: Contents = {}
    for file in descriptor.files:
        path = paths[file.name]
        found |= contents(path, file.contents)
        missing = [name for name in file.contents if name not in found]
        if missing:
            raise PipelineError(f"{path.name}: {missing[0]} is not in it")
    reader = importlib.import_module(f"{__name__}.{descriptor.reader}")
    arrays: Arrays = reader.read(descriptor, found)
    shape = arrays.images.shape[1:]
    if shape != descriptor.image_shape:
        raise PipelineError(
            f"{descriptor.title}: images of {'×'.join(map(str, shape))}, "
            f"expected {'×'.join(map(str, descriptor.image_shape))}"
        )
    return arrays
