"""Name the class of images, with the model of the workspace or of any experiment.

    python -m tools.predict photo.jpg more/ 'days/*.png'
    python -m tools.predict --run NAME --top 5 --json photo.jpg
    python -m tools.predict --best photo.jpg
    python -m tools.predict --csv answers.csv photos/
    python -m tools.predict --sort-into sorted --unsure 0.6 photos/
    python -m tools.predict --coverage 0.95 photo.jpg

One line an image, in the order given: the file, its class, the probability.
With --coverage all classes that it takes to hold the right one in 95% of cases.
An image that is unlike the training images is called so: it may be nothing that
the model knows.
Images are read as those of the training were. One that cannot be read costs a
line on standard error and, at the end, exit status 1; the others are named.
Where `tools.export` has made an ONNX file of the model, that answers, which
starts in a fraction of the time.
"""

import argparse
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

from pipeline.datasets.decode import UnreadableError
from pipeline.datasets.names import counted, shown
from pipeline.datasets.pool import processors
from pipeline.errors import PipelineError
from pipeline.evaluation import coverage
from pipeline.evaluation.reference import Reference, beside
from pipeline.runtime import paths
from pipeline.runtime.stage import program_parser, run_program
from tools.exporting import found as exports
from tools.predicting import outcome
from tools.predicting.reading import predictions
from tools.serving import answers, engine, images
from tools.serving.model import Trained, load, workspace


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status: 1 if an image could not be read."""
    given = _parser().parse_args(arguments)
    if (given.unsure is not None or given.link) and not given.sort_into:
        raise PipelineError("--unsure and --link: they say how to sort; name --sort-into FOLDER")
    asked = images.find(given.images)
    with _model(given) as found, ExitStack() as stack:
        keep: list[outcome.Keep] = []
        sorter = None
        if given.sort_into:
            sorter = outcome.Sorter(
                given.sort_into, found.classes, asked, link=given.link, unsure=given.unsure
            )
            keep.append(sorter.keep)
        reference = Reference.load(beside(found.file))
        if given.csv:
            table = outcome.table(given.csv, found.classes, reference is not None)
            keep.append(stack.enter_context(table))
        limit = None if given.coverage is None else _limit(given.coverage, reference, found.title)
        named, status = 0, 0
        for path, answer in predictions(opened(found, reference), asked, found.resize):
            if isinstance(answer, UnreadableError):
                print(f"predict: {shown(str(path))}: {answer}", file=sys.stderr)
                status = 1
                continue
            named += 1
            for one in keep:
                one(path, answer)
            if not keep:
                count = (
                    given.top
                    if limit is None
                    else int(coverage.sets(answer.row[None], limit).sum())
                )
                top = answers.top(answer.row, found.classes, count)
                print(outcome.line(path, top, answer.unlike, given.json))
    if given.csv:
        print(f"predict: {counted(named, 'image')} in {shown(str(given.csv))}")
    if sorter:
        print(f"predict: {sorter.in_words()}")
    return status


def opened(model: Trained, reference: Reference | None) -> engine.Engine:
    """The quickest engine that gives what the model gives: its exported file, else Keras."""
    exported = exports.exported(model.file, reference.layer if reference else None)
    if exported.said and model.file == paths.MODEL_FILE:  # of a run's model nobody asked for one
        print(f"predict: {exported.said}; `make export` writes it anew", file=sys.stderr)
    if exported.path and list(exported.classes) == list(model.classes):
        return engine.of_onnx(exported.path, processors(), reference)
    return engine.of_keras(load(model, processors()), reference)


def _model(given: argparse.Namespace) -> AbstractContextManager[Trained]:
    if not (given.run or given.best or given.dataset):
        return workspace()
    from tools.serving import registry, trained  # what opens MLflow's store takes time to import

    if given.run:
        return trained.of_run(given.run)
    name = given.dataset or registry.registered_dataset(trained.open_store())
    return trained.of_registry(name, registry.ALIAS)


def _limit(share: float, reference: Reference | None, title: str) -> float:
    if reference is None:
        raise PipelineError(
            f"--coverage: {title} had no validation part, which the promise is made on; "
            "set validation_fraction above 0 and run `dvc repro`"
        )
    return coverage.threshold(reference.scores, share)


def _parser() -> argparse.ArgumentParser:
    parser = program_parser("tools.predict", __doc__)
    parser.add_argument("images", nargs="+", metavar="IMAGE", help="file, folder or quoted glob")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--run", help="an experiment's name, or a run's name or id")
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
    parser.add_argument("--csv", type=Path, metavar="FILE", help="a row an image into this file")
    parser.add_argument(
        "--sort-into", type=Path, metavar="FOLDER", help="copy the images into a folder a class"
    )
    parser.add_argument("--link", action="store_true", help="with --sort-into: links, not copies")
    parser.add_argument(
        "--unsure",
        type=_share,
        metavar="SHARE",
        help="with --sort-into: put those of a lower probability aside",
    )
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def _share(text: str) -> float:
    number = float(text)
    if not 0 <= number <= 1:
        raise ValueError
    return number


if __name__ == "__main__":
    run_program("predict", main)
