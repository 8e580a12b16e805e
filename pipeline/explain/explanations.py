"""Writing data/explanations/: what the report shows of the network's inside."""

from pathlib import Path

import keras
import numpy as np

from pipeline.errors import PipelineError
from pipeline.explain.cam import grad_cam
from pipeline.explain.maps import activations
from pipeline.explain.mistakes import worst_mistakes
from pipeline.networks.building import single_view
from pipeline.networks.table import layer_rows
from pipeline.runtime import files
from pipeline.runtime.arrays import save_arrays

MISTAKES = 24  # how many of the worst the report shows
LAYERS = 8


def write_explanations(
    folder: Path,
    model: keras.Model,
    images: np.ndarray,
    labels: np.ndarray,
    probabilities: np.ndarray,
    explain_image: int,
    mistakes: int = MISTAKES,
) -> None:
    """Write activations.npz, grad_cam.npz, layers.json and explanations.json, the same bytes each
    time.

    activations.npz has one float32 (h, w, c) array a layer, named as the layer
    is, for the test image `explain_image`; grad_cam.npz has `maps`, float32
    (k, H, W), 0…1, for the k worst mistakes; explanations.json has `image`
    (the position in the test part), `layers` (their names, in order) and
    `mistakes` (positions in the test part, most confident first); layers.json is
    the table of the model's layers (`pipeline.networks.table`).

    Args:
        folder: where to; made if it is not there.
        model: takes raw pixels; of one with views the part that sees an image once is shown.
        images: (n, H, W, C) uint8, the test part; a memory map will do.
        labels: (n,) integer class indices.
        probabilities: (n, classes) or (n, 1), what the model gave for `images`.
        explain_image: the position of the image whose activations are kept.
        mistakes: how many of the worst mistakes at most.

    Raises:
        PipelineError: there is no such image.
    """
    if not 0 <= explain_image < len(images):
        raise PipelineError(
            f"explain_image: {explain_image}: the test part has {len(images)} images; "
            f"choose 0 to {len(images) - 1}"
        )
    files.write_json(folder / "layers.json", layer_rows(model))
    seen_once = single_view(model)
    worst = worst_mistakes(labels, probabilities, mistakes)
    maps = activations(seen_once, np.asarray(images[explain_image]), LAYERS)
    heat = grad_cam(seen_once, np.asarray(images[worst]))
    save_arrays(folder / "activations.npz", maps)
    save_arrays(folder / "grad_cam.npz", {"maps": heat})
    files.write_json(
        folder / "explanations.json",
        {"image": explain_image, "layers": list(maps), "mistakes": worst.tolist()},
    )
