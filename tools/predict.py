"""Name the class of images, with the model of the workspace or of any experiment.

    python -m tools.predict photo.jpg more/ 'days/*.png'
    python -m tools.predict --run NAME --top 5 --json photo.jpg
    python -m tools.predict --best photo.jpg

One line an image, in the order given: the file, its class, the probability.
Images are read as those of the training were. One that cannot be read costs a
line on standard error and, at the end, exit status 1; the others are named.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from pipeline import backend
from pipeline.datasets.decode import UnreadableError
from pipeline.datasets.names import shown
from pipeline.datasets.pool import processors
from pipeline.datasets.resizing import Resize
from pipeline.errors import PipelineError
from pipeline.networks.predicting import both_columns, predict
from pipeline.runtime.stage import program_parser, run_program
from tools.serving import answers, images, registry, trained


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status: 1 if an image could not be read."""
    given = _parser().parse_args(arguments)
    paths = images.find(given.images)
    with _model(given) as found:
        backend.configure(0, processors(), deterministic=True, dtype="float32")
        from pipeline.networks.saving import load_model

        model = load_model(found.file)
        outputs = model.output_shape[-1]
        if outputs != (1 if len(found.classes) == 2 else len(found.classes)):
            raise PipelineError(
                f"{found.title}: {outputs} outputs for {len(found.classes)} class names; "
                "run `dvc repro`, which brings both in step"
            )
        status = 0
        for path, row in predictions(model, paths, found.resize):
            if isinstance(row, UnreadableError):
                print(f"predict: {shown(str(path))}: {row}", file=sys.stderr)
                status = 1
            else:
                print(_line(path, answers.top(row, found.classes, given.top), given.json))
    return status


def predictions(
    model: Any, paths: Sequence[Path], resize: Resize
) -> Iterator[tuple[Path, np.ndarray | UnreadableError]]:
    """Each image with its probabilities, float32 (classes,), or why it cannot be read.

    No more than a chunk of images is in memory.
    """
    shape = answers.input_shape(model)
    step = images.chunks(shape)
    quiet = True if len(paths) <= step else None
    with tqdm(total=len(paths), desc="predict", unit=" images", disable=quiet) as bar:
        for start in range(0, len(paths), step):
            part = paths[start : start + step]
            read = [_read(path, shape, resize) for path in part]
            good = [one for one in read if not isinstance(one, UnreadableError)]
            rows = iter(both_columns(predict(model, np.stack(good))) if good else ())
            for path, one in zip(part, read, strict=True):
                yield path, one if isinstance(one, UnreadableError) else next(rows)
            bar.update(len(part))


def _read(path: Path, shape: tuple[int, int, int], resize: Resize) -> np.ndarray | UnreadableError:
    try:
        return images.read(path, shape, resize)
    except UnreadableError as error:
        return error


def _model(given: argparse.Namespace) -> AbstractContextManager[trained.Trained]:
    if given.run:
        return trained.of_run(given.run)
    if given.best or given.dataset:
        name = given.dataset or registry.registered_dataset(trained.open_store())
        return trained.of_registry(name, registry.ALIAS)
    return trained.workspace()


def _line(path: Path, top: list[dict[str, Any]], as_json: bool) -> str:
    if as_json:
        return json.dumps({"image": str(path), **top[0], "top": top}, ensure_ascii=False)
    classes = ", ".join(f"{one['class']} {one['probability']:.4f}" for one in top)
    return f"{shown(str(path))}: {classes}"


def _parser() -> argparse.ArgumentParser:
    parser = program_parser("tools.predict", __doc__)
    parser.add_argument("images", nargs="+", metavar="IMAGE", help="file, folder or quoted glob")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--run", help="DVC experiment's name, MLflow run's name or id")
    which.add_argument("--best", action="store_true", help="the best registered model")
    parser.add_argument("--dataset", help="with --best: of this data set, not the workspace's")
    parser.add_argument("--top", type=_positive, default=1, help="this many classes an image")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


if __name__ == "__main__":
    run_program("predict", main)
