"""The trained model's probabilities for the test images, from the cheapest of what is there."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
from tqdm import tqdm

from pipeline.networks.answering import answering, divided, outputs_of
from pipeline.networks.building import has_views, single_view
from pipeline.networks.predicting import both_columns, predict
from pipeline.runtime import files, paths
from pipeline.runtime.arrays import ArrayWriter, load_array

# Images on which the maps' predictions are compared with the pixels'.
CHECKED = 32
# The same sums in another program: a bfloat16 has three digits (XLA, VGG16's head: 0.0003).
TOLERANCE = {"float32": 1e-5, "mixed_bfloat16": 1e-2, "mixed_float16": 1e-3}
# Where features folded normalisations into kernels, they are rounded elsewhere, too: on 1,000
# photographs in bfloat16 0.07 was the largest difference.
FOLDED_TOLERANCE = {"float32": 1e-3, "mixed_bfloat16": 0.2, "mixed_float16": 0.02}
# Images a step of the progress bar: what a kill may cost, some seconds of VGG16 in
# float32 and a tenth of a second of a small network.
CHUNK = 512


def predict_test(
    model: Any, images: np.ndarray, folder: Path, layer: str | None = None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Probabilities, float32 (n, classes), of all test images, and a layer's features of them.

    Where the stage `features` has kept the base's maps of them the head runs on those,
    after a check on some images that the pixels give the same.

    Args:
        folder: the resume folder of the stage.
        layer: whose features are asked for (see `pipeline.networks.answering`); None for none.
    """
    outputs = outputs_of(model)
    if layer is None:
        return both_columns(_of_all(model, model, images, folder)), None
    if not has_views(model):
        return divided(_of_all(model, answering(model, layer), images, folder), outputs)
    probabilities = both_columns(_of_all(model, model, images, folder))
    return probabilities, divided(predict(answering(single_view(model), layer), images), outputs)[1]


def _of_all(model: Any, asked: Any, images: np.ndarray, folder: Path) -> np.ndarray:
    """What `asked`, which shares the model's layers, gives for all test images."""
    kept = _kept_maps()
    if kept is None or has_views(model):
        return _in_chunks(asked, images, folder)
    maps_file, layer, tolerance = kept
    head = keras.Model(model.get_layer(layer).output, asked.output)
    of_maps = _in_chunks(head, load_array(maps_file), folder)
    of_pixels = predict(model, images[:CHECKED])
    difference = float(np.abs(of_maps[:CHECKED, : of_pixels.shape[1]] - of_pixels).max())
    if difference > tolerance:
        raise AssertionError(
            f"the model's predictions from pixels and from the features' maps differ by "
            f"{difference:.2g}, more than {tolerance:g}"
        )
    return of_maps


def _kept_maps() -> tuple[Path, str, float] | None:
    """The test images' maps that the stage `features` has kept, the layer they come from, and
    how far a probability may be from that of the pixels."""
    record = files.read_json(paths.FEATURES / "features.json")
    tolerances = FOLDED_TOLERANCE if record.get("folded") else TOLERANCE
    for kind in ("maps", "below"):
        path = paths.FEATURES / f"test_{kind}.npy"
        if path.exists():
            return path, record[kind]["layer"], tolerances[record["dtype"]]
    return None


def _in_chunks(model: Any, inputs: np.ndarray, folder: Path) -> np.ndarray:
    """Predict with a progress bar; a stage that was stopped resumes after its last chunk."""
    path = folder / "probabilities.npy"
    shape = (len(inputs), model.output_shape[-1])
    with ArrayWriter(path, shape, "float32") as writer:
        steps = range(writer.done, len(inputs), CHUNK)
        for start in tqdm(steps, "evaluate", unit=f" × {CHUNK} images", disable=None):
            writer.append(predict(model, inputs[start : start + CHUNK]))
    return np.asarray(load_array(path))
