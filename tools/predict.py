"""Name the class of images, with the model of the workspace or of any experiment.

    python -m tools.predict photo.jpg more/ 'days/*.png'
    python -m tools.predict --run NAME --top 5 --json photo.jpg
    python -m tools.predict --best photo.jpg
    python -m tools.predict --coverage 0.95 photo.jpg

One line an image, in the order given: the file, its class, the probability.
With --coverage all classes that it takes to hold the right one in 95% of cases.
An image that is unlike the training images is called so: it may be nothing that
the model knows.
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
from pipeline.errors import PipelineError
from pipeline.evaluation import coverage
from pipeline.evaluation.reference import Reference, beside
from pipeline.runtime.stage import program_parser, run_program
from tools.serving import answers, images, registry, trained
from tools.serving.asked import Answer, Asked, set_size


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
        reference = Reference.load(beside(found.file))
        limit = None if given.coverage is None else _limit(given.coverage, reference, found.title)
        status = 0
        for path, row in predictions(model, paths, reference):
            if isinstance(row, UnreadableError):
                print(f"predict: {shown(str(path))}: {row}", file=sys.stderr)
                status = 1
            else:
                count = given.top if limit is None else set_size(row.row, limit)
                print(_line(path, answers.top(row.row, found.classes, count), row, given.json))
    return status


def predictions(
    model: Any, paths: Sequence[Path], reference: Reference | None = None
) -> Iterator[tuple[Path, Answer | UnreadableError]]:
    """Each image with its answer, or why it cannot be read.

    No more than a chunk of images is in memory.
    """
    shape = answers.input_shape(model)
    step = images.chunks(shape)
    asked = Asked(model, reference)
    quiet = True if len(paths) <= step else None
    with tqdm(total=len(paths), desc="predict", unit=" images", disable=quiet) as bar:
        for start in range(0, len(paths), step):
            part = paths[start : start + step]
            read = [_read(path, shape) for path in part]
            good = [one for one in read if not isinstance(one, UnreadableError)]
            rows = iter(asked.answers(np.stack(good)) if good else ())
            for path, one in zip(part, read, strict=True):
                yield path, one if isinstance(one, UnreadableError) else next(rows)
            bar.update(len(part))


def _read(path: Path, shape: tuple[int, int, int]) -> np.ndarray | UnreadableError:
    try:
        return images.read(path, shape)
    except UnreadableError as error:
        return error


def _model(given: argparse.Namespace) -> AbstractContextManager[trained.Trained]:
    if given.run:
        return trained.of_run(given.run)
    if given.best or given.dataset:
        name = given.dataset or registry.registered_dataset(trained.open_store())
        return trained.of_registry(name, registry.ALIAS)
    return trained.workspace()


def _limit(share: float, reference: Reference | None, title: str) -> float:
    if reference is None:
        raise PipelineError(
            f"--coverage: {title} had no validation part, which the promise is made on; "
            "set validation_fraction above 0 and run `dvc repro`"
        )
    return coverage.threshold(reference.scores, share)


def _line(path: Path, top: list[dict[str, Any]], answer: Answer, as_json: bool) -> str:
    if as_json:
        unlike = {} if answer.unlike is None else {"unlike_training": answer.unlike}
        found = {"image": str(path), **top[0], "top": top, **unlike}
        return json.dumps(found, ensure_ascii=False)
    classes = ", ".join(f"{one['class']} {one['probability']:.4f}" for one in top)
    unlike_words = " (unlike the training images)" if answer.unlike else ""
    return f"{shown(str(path))}: {classes}{unlike_words}"


def _parser() -> argparse.ArgumentParser:
    parser = program_parser("tools.predict", __doc__)
    parser.add_argument("images", nargs="+", metavar="IMAGE", help="file, folder or quoted glob")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--run", help="DVC experiment's name, MLflow run's name or id")
    which.add_argument("--best", action="store_true", help="the best registered model")
    parser.add_argument("--dataset", help="with --best: of this data set, not the workspace's")
    parser.add_argument("--top", type=_positive, default=1, help="this many classes an image")
    parser.add_argument(
        "--coverage",
        type=float,
        metavar="SHARE",
        help="all classes that it takes to hold the right one in this share of cases, 0.95 say",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


if __name__ == "__main__":
    run_program("predict", main)
