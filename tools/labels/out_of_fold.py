"""Each image's logits by the network itself, trained without the image.

A model that has seen an image may have learned its wrong label by heart. So the
images are shared out in folds, and each fold is judged by what was trained on
the others. (`tools.labels.head` does that for features, in seconds.)
"""

import logging
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.datasets import folds as sharing
from pipeline.datasets.labels import one_hot
from pipeline.parameters.stages import TrainParameters
from pipeline.runtime import files, paths, resume
from pipeline.runtime.arrays import ArrayWriter
from pipeline.runtime.stage import say
from tools.labels.features import Features, configure
from tools.labels.images import Images, Indices
from tools.labels.noise import Array

# Epochs of a network that is trained anew for every fold.
MOST_EPOCHS = 12
COPY_BYTES = 32 << 20


def folds_of(images: Images, groups: Indices | None, folds: int, seed: int) -> Indices:
    """The fold of each image, int64 (n,): stratified by the labels, groups whole."""
    order = np.random.RandomState(seed).permutation(len(images))
    own = None if groups is None else groups[order]
    found = np.empty(len(images), "int64")
    found[order] = sharing.assign(images.labels[order], own, folds, images.classes)
    return found


def by_network(
    images: Images, parameters: TrainParameters, fold: Indices
) -> tuple[Array, Features]:
    """Train the network for each fold anew, as params.yaml says; resumes after a kill.

    Early stopping and the choice of the best epoch are off: they would look at
    the labels of images that are to be judged. Returns logits, float64
    (n, classes), and for likeness what the first fold's network has in
    front of its last layer, float32 (n, channels).
    """
    asked = parameters.model_copy(
        update={
            "epochs": min(parameters.epochs, MOST_EPOCHS),
            "best_weights": False,
            "early_stopping": None,
            "test_time_views": 1,
        }
    )
    labels = files.sha256(*(paths.PREPARED / f"{part}_labels.npy" for part in images.counts))
    folder = resume.resume_folder(
        "check-labels", asked.model_dump(), images.dataset["digest"], labels, fold.tolist()
    )
    configure(parameters)
    count = int(fold.max()) + 1
    # Five models that predict are no mistake; TensorFlow warns of each.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    say(
        "check-labels",
        f"{asked.model} has no pretrained base: {count} networks of {asked.epochs} epochs, each "
        "trained without the fold that it judges",
    )
    found = np.zeros((len(images), len(images.classes)))
    for number in range(count):
        held = np.flatnonzero(fold == number)
        done = folder / f"fold{number}.npz"
        if not done.exists():
            say("check-labels", f"fold {number + 1} of {count}")
            _train_fold(images, asked, fold != number, held, folder, done, number == 0)
        with np.load(done, allow_pickle=False) as arrays:
            found[held] = arrays["probabilities"]
            if number == 0:
                features = arrays["features"]
    resume.forget(folder)
    return np.log(np.clip(found, 1e-7, None)), features


def _train_fold(
    images: Images,
    parameters: TrainParameters,
    used: npt.NDArray[np.bool_],
    held: Indices,
    folder: Path,
    done: Path,
    with_features: bool,
) -> None:
    import keras  # not before Keras is configured

    from pipeline.networks.predicting import both_columns, predict
    from pipeline.training import checkpoint, fitting, phases

    keras.backend.clear_session()
    keras.utils.set_random_seed(parameters.seed)
    scratch = files.fresh_folder(folder / "workspace")
    shape = (0, *images.dataset["image_shape"])
    _write(images, np.flatnonzero(used), scratch / paths.PREPARED, "train")
    for part in ("validation", "test"):
        np.save(scratch / paths.PREPARED / f"{part}_images.npy", np.zeros(shape, "uint8"))
        empty = np.zeros((0, len(images.classes)), "float32")
        np.save(scratch / paths.PREPARED / f"{part}_labels.npy", empty)
    here = Path.cwd()
    os.chdir(scratch)  # where training looks for data/prepared
    try:
        model = phases.build(parameters, images.dataset)
        progress = checkpoint.Progress()
        trained = phases.phases(model, parameters, images.dataset)
        fitting.fit(trained, files.fresh_folder(folder / "fit"), progress, lambda _: None)
    finally:
        os.chdir(here)
    probabilities = [both_columns(predict(model, rows)) for rows in _pixels(images, held)]
    arrays: dict[str, Any] = {"probabilities": np.concatenate(probabilities)}
    if with_features:
        inner = keras.Model(model.input, _before_last(model))
        everything = np.arange(len(images))
        rows = [predict(inner, pixels) for pixels in _pixels(images, everything)]
        arrays["features"] = np.concatenate(rows).reshape(len(images), -1)
    with files.atomic(done) as partial, partial.open("wb") as file:
        np.savez(file, **arrays)
    shutil.rmtree(scratch)


def _before_last(model: Any) -> Any:
    """What the last layer with weights reads."""
    return [layer for layer in model.layers if layer.weights][-1].input


def _pixels(images: Images, rows: Indices) -> Any:
    """The pixels of some rows, in their order, a few megabytes at a time."""
    step = max(1, COPY_BYTES // int(np.prod(images.dataset["image_shape"])))
    for start in range(0, len(rows), step):
        yield np.stack(images.pixels(rows[start : start + step]))


def _write(images: Images, rows: Indices, folder: Path, part: str) -> None:
    shape = (len(rows), *images.dataset["image_shape"])
    folder.mkdir(parents=True, exist_ok=True)
    with ArrayWriter(folder / f"{part}_images.npy", shape, "uint8") as writer:
        for pixels in _pixels(images, rows):
            writer.append(pixels)
    labels = one_hot(images.labels[rows], len(images.classes))
    np.save(folder / f"{part}_labels.npy", labels)
