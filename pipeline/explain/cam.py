"""Grad-CAM: which pixels spoke for the class that was predicted.

Selvaraju et al., arXiv 1610.02391: the last convolution's maps, each weighted
by the mean gradient of the class's score with respect to it, summed, and cut
at zero.
"""

from typing import Any

import keras
import numpy as np

from pipeline import backend
from pipeline.explain.maps import last_maps
from pipeline.networks import graph

BATCH = 16  # images at once: VGG16's maps of 16 images take a few hundred MB


def grad_cam(model: keras.Model, images: np.ndarray) -> np.ndarray:
    """Heat maps of the predicted class, 1 where an image spoke for it most.

    The score is the class's logit, not its probability: the gradient of a
    probability vanishes where the model is sure, and the worst mistakes are
    the surest.

    Args:
        model: takes raw pixels; with one sigmoid unit the predicted class is 1 above 0.5, else 0.
        images: (n, H, W, C) uint8.

    Returns:
        (n, H, W) float32, 0…1; all 0 for an image where nothing speaks for
        the class, and for a model without convolutions.
    """
    heat = np.zeros(images.shape[:3], np.float32)
    last = last_maps(model)
    if last is None or not len(images):
        return heat
    tensors = graph.outputs(model)
    maps_of = keras.Model(model.input, tensors[last.name])
    head = _Scores(model, tensors[last.name])
    for start in range(0, len(images), BATCH):
        maps = maps_of(np.ascontiguousarray(images[start : start + BATCH]), training=False)
        heat[start : start + BATCH] = _heat(maps, head, images.shape[1:3])
    return heat


class _Scores:
    """The layers above the maps: their scores of the classes, before softmax or sigmoid."""

    def __init__(self, model: keras.Model, maps: Any) -> None:
        self.output = model.layers[-1]
        (node,) = model._nodes_by_depth[0]
        (scored,) = node.input_tensors
        self.below = None if scored is maps else keras.Model(maps, scored)

    def __call__(self, maps: Any) -> Any:
        """(n, h, w, c) maps to (n, classes) float32 scores, also for one sigmoid unit."""
        inputs = maps if self.below is None else self.below(maps, training=False)
        inputs = keras.ops.cast(inputs, "float32")
        if isinstance(self.output, keras.layers.Dense):
            scores = keras.ops.matmul(inputs, keras.ops.cast(self.output.kernel, "float32"))
            if self.output.use_bias:
                scores += keras.ops.cast(self.output.bias, "float32")
        else:
            scores = keras.ops.cast(self.output(inputs, training=False), "float32")
        if scores.shape[-1] == 1:
            scores = keras.ops.concatenate([-scores, scores], axis=-1)
        return scores


def _heat(maps: Any, scores: _Scores, size: tuple[int, ...]) -> np.ndarray:
    given = scores(maps)
    predicted = keras.ops.one_hot(keras.ops.argmax(given, axis=-1), given.shape[-1])

    def of_predicted(at: Any) -> Any:
        # One sum over the images: each one's gradient depends on its own maps alone.
        return keras.ops.sum(scores(at) * predicted)

    gradient = keras.ops.cast(backend.gradient(of_predicted, maps), "float32")
    weights = keras.ops.mean(gradient, axis=(1, 2), keepdims=True)
    heat = keras.ops.relu(keras.ops.sum(keras.ops.cast(maps, "float32") * weights, axis=-1))
    heat = keras.ops.image.resize(heat[..., None], size, data_format="channels_last")
    values = np.maximum(keras.ops.convert_to_numpy(heat)[..., 0], 0)
    largest = values.max(axis=(1, 2), keepdims=True)
    return np.divide(values, largest, out=np.zeros_like(values), where=largest > 0)
