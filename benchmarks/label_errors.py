"""How many test labels that people found wrong stand at the top of what check-labels finds.

    python -m benchmarks.label_errors LIST.json --first 275 dataset=cifar10 model=vgg16 …

LIST.json is mturk/cifar10_mturk.json or mturk/mnist_mturk.json of the public
repository cleanlab/label-errors (Northcutt, Athalye and Mueller, arXiv
2103.14749): test images that five people looked at. An error is one whose label
fewer than three of them chose. It scores, and has no say in what is found. All
images are judged out of fold, training, validation and test together. The other
words are parameters, as with `dvc exp run -S`. Prints JSON. No DVC stage.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.label_workspace import overrides, workspace
from pipeline.datasets.raw import RawDataset
from pipeline.errors import PipelineError
from pipeline.runtime import files, paths
from pipeline.runtime.stage import program_parser, run_program
from tools import check_labels

MAJORITY = 3  # of five


def main() -> None:
    given = _parser().parse_args()
    confirmed = read_list(given.list)
    with workspace("label-errors", overrides(given.parameters)):
        check, _ = check_labels.examine(True, given.folds, 0.5)
        start = RawDataset.read(paths.RAW).parts
        if start is None:
            raise PipelineError(
                "dataset: expected mnist or cifar10, whose test images are numbered"
            )
        first = start["test"][0]
        tested = [
            int(check.images.names[row]) - first
            for row in check.doubts.order
            if check.images.parts[row] == "test"
        ]
    print(json.dumps(scored(tested, confirmed, given.first) | {"how": check.how}, indent=2))


def read_list(path: Path) -> set[int]:
    """The numbers of the test images whose label people found wrong.

    Raises:
        PipelineError: the file is none of those lists.
    """
    try:
        entries = files.read_json(path)
        return {int(each["id"]) for each in entries if each["mturk"]["given"] < MAJORITY}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PipelineError(f"{path}: no list of cleanlab/label-errors ({error})") from None


def scored(order: list[int], confirmed: set[int], first: int) -> dict[str, Any]:
    """`order` has the test images, worst first."""
    places = np.flatnonzero(np.isin(order, sorted(confirmed)))
    return {
        "test_images": len(order),
        "confirmed": len(confirmed),
        "first": first,
        "among_them": int((places < first).sum()),
        "among_100": int((places < 100).sum()),
        "median_place": int(np.median(places)) + 1,
    }


def _parser() -> argparse.ArgumentParser:
    parser = program_parser("benchmarks.label_errors", __doc__)
    parser.add_argument("list", type=Path, metavar="LIST.json")
    parser.add_argument("parameters", nargs="+", metavar="KEY=VALUE", help="as in params.yaml")
    parser.add_argument("--first", type=int, default=275, help="the length of our list (275)")
    parser.add_argument("--folds", type=int, default=check_labels.FOLDS)
    return parser


if __name__ == "__main__":
    run_program("label-errors", main)
