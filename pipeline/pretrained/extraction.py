"""Feature extraction: what is kept of the frozen base's maps, and computing it."""

from contextlib import ExitStack
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

from tqdm import tqdm

from pipeline.datasets.pool import workers
from pipeline.parameters.stages import FeaturesParameters
from pipeline.pretrained.frozen import FrozenBase, batch_size
from pipeline.pretrained.maps_task import Base, MapsTask, load
from pipeline.runtime import paths
from pipeline.runtime.arrays import ArrayWriter, load_array
from pipeline.runtime.estimate import Forecast, check_disk
from pipeline.runtime.stage import say

# Bytes of maps below the first fine-tuned layer, all parts together, which are
# on the disk twice, for DVC's cache holds them too. It is 2 MB for each of 4,000
# images: at the 34 images a second that the base computes here in bfloat16, a
# disk that reads 70 MB a second keeps up, and larger maps save less and less.
BELOW_BUDGET = 8 << 30
FLOAT32_BYTES = 4


def base_of(parameters: FeaturesParameters, dataset: dict[str, Any]) -> FrozenBase:
    """The base that the parameters ask for, for the images of data/prepared."""
    return load(Base.of(parameters, dataset, paths.WEIGHTS))


def plan(
    parameters: FeaturesParameters, dataset: dict[str, Any], base: FrozenBase
) -> tuple[dict[str, dict[str, str]], dict[str, Any]]:
    """What is kept of each part ({"maps": layer, "below": layer}), and features.json.

    `folded` there is the number of batch normalisations in kernels (`pipeline.pretrained.folding`).
    """
    start, last = parameters.fine_tune_from, base.end
    record: dict[str, Any] = {
        "model": parameters.model,
        "dtype": parameters.dtype,
        "folded": base.folds([last]),
        "maps": {"layer": last, "shape": list(base.output_shape(last))},
        "below": None,
    }
    if start is None:
        return {part: {"maps": last} for part in paths.PARTS}, record
    kept = {"train": {"maps": last}, "validation": {"maps": last}, "test": {}}
    below = base.below(start)
    if below is None:
        return kept, record | {"why": f"{start} reads the pixels"}
    maps = base.output_shape(below)
    size = FLOAT32_BYTES * prod(maps) * sum(map(sum, dataset["counts"].values()))
    if size > BELOW_BUDGET:
        why = f"{size:,} bytes of {below} are more than the budget of {BELOW_BUDGET:,}"
        say("features", f"{why}; fine-tuning starts from the pixels")
        return kept, record | {"why": why}
    for part in kept.values():
        part["below"] = below
    return kept, record | {"below": {"layer": below, "shape": list(maps)}}


def compute(
    parameters: FeaturesParameters,
    dataset: dict[str, Any],
    kept: dict[str, dict[str, str]],
    folder: Path,
) -> None:
    """Write {part}_{kind}.npy into `folder`, resuming after what is there already.

    A task is a batch, wherever it is run (`pipeline.datasets.pool`), so that the sums are the same.
    """
    batch = batch_size(tuple(dataset["image_shape"]))
    known, base = Base.of(parameters, dataset, paths.WEIGHTS), base_of(parameters, dataset)
    files = {part: (paths.PREPARED / f"{part}_images.npy").absolute() for part in kept}
    parts = {part: load_array(files[part]) for part in kept if kept[part]}
    total = sum(map(len, parts.values()))
    needed = FLOAT32_BYTES * sum(
        len(images) * prod(base.output_shape(layer))
        for part, images in parts.items()
        for layer in kept[part].values()
    )
    check_disk(folder, needed, "or choose a smaller image_size")
    forecast = Forecast(total, needed, partial(say, "features"))
    with (
        workers(parallel=False, threads=parameters.threads or 1) as pool,
        tqdm(desc="features", total=total, unit=" images", mininterval=0.5) as bar,
    ):
        for part, images in parts.items():
            with ExitStack() as stack:
                writers = []
                for kind, layer in kept[part].items():
                    rows = (len(images), *base.output_shape(layer))
                    writer = ArrayWriter(folder / f"{part}_{kind}.npy", rows, "float32")
                    writers.append(stack.enter_context(writer))
                start = _start(part, writers, batch)
                bar.update(start)
                forecast.skip(start)
                layers = tuple(kept[part].values())
                tasks = (
                    MapsTask(known, layers, files[part], at, min(at + batch, len(images)))
                    for at in range(start, len(images), batch)
                )
                for maps in pool.run(tasks):
                    _append(writers, maps)
                    bar.update(len(maps[0]))
                    forecast.add(len(maps[0]))


def _start(part: str, writers: list[Any], batch: int) -> int:
    """The first image to compute: the writers in step, at the border of a batch.

    The batches are then the same as in a run that nobody killed, and so are
    the sums in them.
    """
    done, images = min(writer.done for writer in writers), writers[0].rows
    if done < images:
        done -= done % batch
    for writer in writers:
        writer.rewind(done)
    if 0 < done < images:
        say(
            "features",
            f"resuming after {done:,} of {images:,} {part} images, from a run that was stopped",
        )
    return done


def _append(writers: list[Any], maps: list[Any]) -> None:
    for writer, rows in zip(writers, maps, strict=True):
        writer.append(rows)
