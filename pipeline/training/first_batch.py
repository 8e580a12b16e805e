"""data/first_batch.npz: the first images that a training sees, as they were augmented and mixed.

A wrong augmentation shows here before it shows in a score.
"""

from typing import Any

import numpy as np

from pipeline.parameters.stages import TrainParameters
from pipeline.runtime import paths
from pipeline.runtime.arrays import load_array, save_arrays
from pipeline.training.phases import training_batches

SHOWN = 24


def write(parameters: TrainParameters, dataset: dict[str, Any]) -> bool:
    """Write `images`, uint8 (n, height, width, channels), and `labels`, float32 (n, classes).

    Returns:
        False where training sees the images as they were prepared: then n is 0.
    """
    altered = parameters.augmentation != "none" or bool(parameters.mixup or parameters.cutmix)
    images = load_array(paths.PREPARED / "train_images.npy")
    if altered:
        images, targets, *_ = training_batches(images, parameters, dataset)[0]
        two = targets.shape[1] == 1  # the column of class 1
        labels = np.concatenate([1 - targets, targets], axis=1) if two else targets
        shown = {"images": images[:SHOWN], "labels": labels[:SHOWN]}
    else:
        labels = np.zeros((0, len(dataset["classes"])), np.float32)
        shown = {"images": images[:0], "labels": labels}
    save_arrays(paths.FIRST_BATCH, shown)
    return altered
