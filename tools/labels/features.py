"""Features of images by a pretrained base: its maps, pooled to means, float32 (n, channels)."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from pipeline import backend
from pipeline.parameters.stages import FeaturesParameters, TrainParameters
from pipeline.runtime import files, paths
from pipeline.runtime.arrays import Array, load_array
from tools.labels.images import Images

Features = npt.NDArray[np.float32]

STEP_BYTES = 32 << 20


def pooled(images: Images, parameters: TrainParameters) -> tuple[Features, str] | None:
    """The features of all images, and where they are from; None for a network without a base.

    The base has learned from other images alone, so its features of an image
    know nothing of the image's label.
    """
    if not parameters.pretrained_weights:
        return None
    kept = _kept(images)
    if kept is not None:
        return kept, f"the features that the run has kept ({parameters.model})"
    return _computed(images, parameters), f"the features of {parameters.model}'s base"


def _kept(images: Images) -> Features | None:
    """What the stage `features` has kept, if it has all parts; the mean over places."""
    record = files.read_json(paths.FEATURES / "features.json")
    where = [paths.FEATURES / f"{part}_maps.npy" for part in images.counts]
    if record["model"] is None or not all(path.exists() for path in where):
        return None
    return np.concatenate([_mean(rows) for path in where for rows in _steps(load_array(path))])


def _computed(images: Images, parameters: TrainParameters) -> Features:
    configure(parameters)
    from pipeline.networks.predicting import predict
    from pipeline.pretrained.extraction import base_of
    from pipeline.pretrained.frozen import batch_size

    asked = FeaturesParameters(model=parameters.model)
    base = base_of(asked, images.dataset)
    model, batch = base.maps([base.end]), batch_size(tuple(images.dataset["image_shape"]))
    found = []
    with tqdm(desc="check-labels", total=len(images), unit=" images", mininterval=0.5) as bar:
        for pixels in images.arrays():
            for start in range(0, len(pixels), batch):
                rows = np.asarray(pixels[start : start + batch])
                found.append(_mean(predict(model, rows, batch)))
                bar.update(len(rows))
    return np.concatenate(found)


def configure(parameters: TrainParameters) -> None:
    """Set Keras up as the run did; seconds, so only where a network is to be run."""
    backend.choose(parameters.backend)
    backend.configure(
        parameters.seed, parameters.threads, parameters.deterministic, parameters.dtype
    )


def _mean(maps: Array) -> Features:
    """(n, h, w, channels) to (n, channels); what is flat already stays."""
    flat = np.asarray(maps, "float32")
    return flat if flat.ndim == 2 else flat.mean(axis=tuple(range(1, flat.ndim - 1)))


def _steps(array: Array) -> Iterator[Array]:
    step = max(1, STEP_BYTES // max(1, array[:1].nbytes))
    for start in range(0, len(array), step):
        yield array[start : start + step]
