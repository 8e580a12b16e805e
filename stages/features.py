"""Run the frozen base of a pretrained model once over every prepared image.

Reads data/params/features.json, data/prepared and data/weights. Writes
data/features/{train,validation,test}_maps.npy, what the head reads, float32
(n, h, w, channels), and features.json, which says what they are. With
`fine_tune_from` the test has no maps, for the head alone does not score it,
and there are {train,validation,test}_below.npy, the maps that the first
fine-tuned layer reads, as long as they fit BELOW_BUDGET. Without a frozen base,
or with augmentation, features.json says null. A killed run goes on from its
last recorded batch and ends with the same bytes.
"""

from contextlib import ExitStack
from functools import cache
from math import prod
from pathlib import Path
from typing import Any

from stages import tracking
from stages.parameters.stages import FeaturesParameters
from stages.runtime import files, paths
from stages.runtime.stage import run_stage, say

RECORD_FILE = "features.json"
CODE = ("backend.py", "features.py", "models", "pretrained", "runtime/arrays.py")
# Bytes of maps below the first fine-tuned layer, all parts together, which are
# on the disk twice, for DVC's cache holds them too. It is 2 MB for each of 4,000
# images: at the 34 images a second that the base computes here in bfloat16, a
# disk that reads 70 MB a second keeps up, and larger maps save less and less.
BELOW_BUDGET = 8 << 30
FLOAT32_BYTES = 4


def main() -> None:
    parameters = FeaturesParameters.read()
    if parameters.model is None:
        out = files.fresh_folder(paths.FEATURES)
        files.write_json(out / RECORD_FILE, {"model": None})
        return
    # Seconds of imports that a model without a frozen base does not need.
    from stages import backend
    from stages.datasets.work import building

    if parameters.dtype == "mixed_bfloat16" and not backend.native_bfloat16():
        say(
            "features",
            "this processor has no native bfloat16 and converts every number to and fro: "
            "mixed_bfloat16 is slower here than float32",
        )
    dataset = files.read_json(paths.PREPARED / "dataset.json")
    weights = files.read_json(paths.WEIGHTS / "weights.json")
    backend.choose(parameters.backend)
    backend.configure(0, parameters.threads, parameters.deterministic, parameters.dtype)
    environment = backend.environment()
    ingredients = (parameters.model_dump(), dataset, weights, environment)
    with building("features", "running the base", paths.FEATURES, ingredients, CODE) as folder:
        kept, record = _plan(parameters, dataset)
        _compute(parameters.model, dataset, kept, folder / "out")
        files.write_json(folder / "out" / RECORD_FILE, {**record, "weights": weights["sha256"]})


def _plan(
    parameters: FeaturesParameters, dataset: dict[str, Any]
) -> tuple[dict[str, dict[str, str]], dict[str, Any]]:
    """What is kept of each part ({"maps": layer, "below": layer}), and features.json."""
    from stages.pretrained import frozen

    name, start = str(parameters.model), parameters.fine_tune_from
    shape = tuple(dataset["image_shape"])
    last = frozen.last_layer(name)
    record: dict[str, Any] = {
        "model": name,
        "dtype": parameters.dtype,
        "maps": {"layer": last, "shape": list(frozen.output_shape(name, last, shape))},
        "below": None,
    }
    if start is None:
        return {part: {"maps": last} for part in paths.PARTS}, record
    kept = {"train": {"maps": last}, "validation": {"maps": last}, "test": {}}
    below = frozen.layer_below(name, start)
    if below is None:
        return kept, record | {"why": f"{start} reads the pixels"}
    maps = frozen.output_shape(name, below, shape)
    size = FLOAT32_BYTES * prod(maps) * sum(map(sum, dataset["counts"].values()))
    if size > BELOW_BUDGET:
        why = f"{size:,} bytes of {below} are more than the budget of {BELOW_BUDGET:,}"
        say("features", f"{why}; fine-tuning starts from the pixels")
        return kept, record | {"why": why}
    for part in kept.values():
        part["below"] = below
    return kept, record | {"below": {"layer": below, "shape": list(maps)}}


def _compute(
    name: str, dataset: dict[str, Any], kept: dict[str, dict[str, str]], folder: Path
) -> None:
    """Write {part}_{kind}.npy into `folder`, going on from what is there already."""
    from tqdm import tqdm

    from stages.pretrained import frozen
    from stages.runtime.arrays import ArrayWriter, load_array

    shape = tuple(dataset["image_shape"])
    batch = frozen.batch_size(shape)
    parts = {part: load_array(paths.PREPARED / f"{part}_images.npy") for part in kept if kept[part]}

    @cache
    def base(*layers: str) -> Any:
        return frozen.frozen_base(name, shape, dataset["normalization"], paths.WEIGHTS, layers)

    total = sum(map(len, parts.values()))
    with tqdm(desc="features", total=total, unit=" images", mininterval=0.5) as bar:
        for part, images in parts.items():
            with ExitStack() as stack:
                writers = []
                for kind, layer in kept[part].items():
                    rows = (len(images), *frozen.output_shape(name, layer, shape))
                    writer = ArrayWriter(folder / f"{part}_{kind}.npy", rows, "float32")
                    writers.append(stack.enter_context(writer))
                start = _start(part, writers, batch)
                bar.update(start)
                for first in range(start, len(images), batch):
                    pixels = images[first : first + batch]
                    maps = base(*kept[part].values()).predict_on_batch(pixels)
                    _append(writers, maps if isinstance(maps, list) else [maps])
                    bar.update(len(pixels))


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
            f"going on after {done:,} of {images:,} {part} images, from a run that was stopped",
        )
    return done


def _append(writers: list[Any], maps: list[Any]) -> None:
    for writer, rows in zip(writers, maps, strict=True):
        writer.append(rows.astype("float32"))


if __name__ == "__main__":
    run_stage("features", main, __doc__, tracking.record_failure)
