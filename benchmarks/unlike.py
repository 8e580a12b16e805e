"""How well images that are nothing the model knows are told from the test images.

    python -m benchmarks.unlike FOLDER_OR_FILES…     of the workspace's model
    python -m benchmarks.unlike --images 1000 FOLDER

Prints a row for a table: the area under the curve by the features' distance (what
`unlike_training` goes by) and, for comparison, by how sure the model is, with 95%
intervals, and how many of both are called unlike. FOLDER has images of things that
the model has no class for, in its own or other sizes.
"""

from collections.abc import Sequence

import numpy as np

from pipeline import backend
from pipeline.datasets.decode import UnreadableError
from pipeline.datasets.pool import processors
from pipeline.datasets.resizing import Resize
from pipeline.errors import PipelineError
from pipeline.evaluation.reference import Reference, beside
from pipeline.runtime import paths
from pipeline.runtime.arrays import load_array
from pipeline.runtime.stage import program_parser, run_program
from tools.serving import answers, images, trained

SEED = 0  # of the images that are drawn, and of the intervals
RESAMPLES = 200


def main(arguments: Sequence[str] | None = None) -> None:
    parser = program_parser("benchmarks.unlike", __doc__)
    parser.add_argument("strangers", nargs="+", help="files or folders of images")
    parser.add_argument("--images", type=int, default=2000, help="of each at most (2000)")
    given = parser.parse_args(arguments)
    with trained.workspace() as found:
        reference = Reference.load(beside(found.file))
        if reference is None:
            raise PipelineError(f"{beside(found.file)}: not there; run `dvc repro` with validation")
        backend.configure(0, processors(), deterministic=True, dtype="float32")
        from pipeline.networks.answering import answering, divided, outputs_of
        from pipeline.networks.building import single_view
        from pipeline.networks.predicting import predict
        from pipeline.networks.saving import load_model

        model = single_view(load_model(found.file))
        asked = answering(model, reference.layer)
        shape = answers.input_shape(model)
        tested = load_array(paths.PREPARED / "test_images.npy")
        known = tested[_drawn(len(tested), given.images)]
        strangers = _read(given.strangers, shape, found.resize, given.images)
        far, sure = {}, {}
        for name, part in (("known", known), ("strangers", strangers)):
            rows, features = divided(predict(asked, part), outputs_of(model))
            far[name], sure[name] = reference.unlike.distances(features), rows.max(axis=1)
    shares = [(far[name] > reference.unlike.threshold).mean() for name in far]
    print("| known | strangers | by features | by how sure | known called unlike | strangers |")
    print("|---|---|---|---|---|---|")
    by_features = _with_interval(far["known"], far["strangers"])
    by_sure = _with_interval(-sure["known"], -sure["strangers"])
    print(
        f"| {len(known):,} | {len(strangers):,} | {by_features} | {by_sure} "
        f"| {shares[0]:.1%} | {shares[1]:.1%} |"
    )


def area(known: np.ndarray, strangers: np.ndarray) -> float:
    """The chance that a stranger's score is above that of a known image; equal ones count half."""
    values, place = np.unique(np.concatenate([known, strangers]), return_inverse=True)
    of_known = np.bincount(place[: len(known)], minlength=len(values))
    of_strangers = np.bincount(place[len(known) :], minlength=len(values))
    below = np.cumsum(of_known) - of_known / 2
    return float((below * of_strangers).sum() / (len(known) * len(strangers)))


def _with_interval(known: np.ndarray, strangers: np.ndarray) -> str:
    generator = np.random.RandomState(SEED)
    again = [
        area(generator.choice(known, len(known)), generator.choice(strangers, len(strangers)))
        for _ in range(RESAMPLES)
    ]
    low, high = np.percentile(again, [2.5, 97.5])
    return f"{area(known, strangers):.3f} ({low:.3f} to {high:.3f})"


def _drawn(images: int, count: int) -> np.ndarray:
    return np.sort(np.random.RandomState(SEED).permutation(images)[:count])


def _read(
    arguments: Sequence[str], shape: tuple[int, int, int], resize: Resize, count: int
) -> np.ndarray:
    paths_found = images.find(arguments)
    read = []
    for position in _drawn(len(paths_found), count):
        try:
            read.append(images.read(paths_found[position], shape, resize))
        except UnreadableError:
            continue
    if not read:
        raise PipelineError("no image can be read")
    return np.stack(read)


if __name__ == "__main__":
    run_program("unlike", main)
