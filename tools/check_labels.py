"""Find labels that are probably wrong, and show them: a page, and a file to edit.

    python -m tools.check_labels              the data of the workspace
    python -m tools.check_labels --run NAME   those of a DVC experiment
    python -m tools.check_labels --test       the test images too

Every image is judged by a model that was trained without it: a linear head on
the features of a pretrained base, in seconds, or the network itself, trained
for each fold anew. Writes reports/label_issues.html and reports/label_issues.csv,
and changes nothing. docs/data-quality.md says how to go on. No DVC stage.
"""

import argparse
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pipeline.datasets.names import counted
from pipeline.errors import PipelineError, did_you_mean
from pipeline.parameters.stages import PrepareParameters, TrainParameters
from pipeline.runtime import files, paths
from pipeline.runtime.stage import program_parser, run_program, say
from tools.labels import doubts, features, fixes, head, images, noise, out_of_fold, page

PAGE = paths.REPORTS / "label_issues.html"
ISSUES = paths.REPORTS / "label_issues.csv"
FOLDS = 5
# Of an experiment's outs these are looked at.
NEEDED = (
    "data/params/prepare.json",
    "data/params/train.json",
    "data/prepared",
    "data/features",
    "data/weights",
)
STOPPED = "stopped; the same command resumes from here"


def main(arguments: Sequence[str] | None = None) -> None:
    given = _parser().parse_args(arguments)
    out = Path.cwd()
    with _data(given.run):
        check, lines = examine(given.test, given.folds, given.threshold)
        html = page.render(check)
    kept = fixes.write(lines, out / ISSUES)
    files.write_text(out / PAGE, html)
    of = f"{counted(len(check.places), 'label')} of {len(check.images):,}"
    are = "is" if len(check.places) == 1 else "are"
    say("check-labels", f"{of} {are} probably wrong; nothing was changed")
    if kept:
        say("check-labels", f"the earlier {ISSUES} was another; it is {kept.name} now")
    edit = f", then edit {ISSUES} (docs/data-quality.md)" if check.places else ""
    say("check-labels", f"look at {PAGE}{edit}")


def examine(with_test: bool, folds: int, threshold: float) -> tuple[page.Check, fixes.Lines]:
    """Check the labels of the current folder's data: what was found, and the file's lines.

    Raises:
        PipelineError: no prepared data, or a class with fewer images than folds.
    """
    found = images.read(with_test)
    prepared, trained = PrepareParameters.read(), TrainParameters.read()
    pooled = features.pooled(found, trained)
    of_group = images.groups(found)
    fold = out_of_fold.folds_of(found, of_group, folds, prepared.split_seed)
    how = f"Each of {folds} folds was judged by what was trained on the others: "
    if pooled is None:
        logits, rows = out_of_fold.by_network(found, trained, fold)
        epochs = min(trained.epochs, out_of_fold.MOST_EPOCHS)
        how += f"{trained.model}, {counted(epochs, 'epoch')} for each fold."
    else:
        rows, source = pooled
        logits = head.logits(rows, found.labels, fold, len(found.classes))
        how += f"a linear head on {source}."
    judged = noise.fit(logits, found.labels)
    doubtful = doubts.find(found.labels, judged, threshold)
    before = fixes.earlier(prepared, Path())
    lines, places = fixes.lines(found, doubtful, before)
    wrong = judged.probabilities.argmax(axis=1) != found.labels
    confused = doubts.confused(found.labels, judged.probabilities)
    check = page.Check(
        images=found,
        features=rows,
        doubts=doubtful,
        places=places,
        confused=confused,
        how=how,
        csv=str(ISSUES),
        threshold=threshold,
        disagreement=float(wrong.mean()),
        noise=judged.noise,
        decided=len(before),
    )
    return check, lines


@contextmanager
def _data(run: str | None) -> Iterator[None]:
    """The folder with the data is the current one: the workspace, or an experiment's clone."""
    if run is None:
        yield
        return
    from tools.experiments.clone import cache_folder, dvc, make_clone
    from tools.experiments.repository import Repository
    from tools.runs.experiments import list_experiments

    root = paths.root()
    kept = {each.name: each for each in list_experiments()}
    if run not in kept:
        raise PipelineError(f"--run: {run}: no such DVC experiment{did_you_mean(run, kept)}")
    folder = paths.state() / "check-labels" / run
    make_clone(Repository(root), folder, kept[run].commit, cache_folder(root))
    dvc(folder, "checkout", "--force", *NEEDED)
    here, before = Path.cwd(), os.environ.get("DVC_ROOT")
    os.environ["DVC_ROOT"] = str(root)  # resume files outlive the clone
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(here)
        if before is None:
            del os.environ["DVC_ROOT"]


def _parser() -> argparse.ArgumentParser:
    parser = program_parser("tools.check_labels", __doc__)
    parser.add_argument(
        "--run", metavar="NAME", help="an experiment's name (default: the workspace)"
    )
    parser.add_argument("--test", action="store_true", help="check the test images too")
    parser.add_argument("--folds", type=_folds, default=FOLDS, help=f"how many (default: {FOLDS})")
    parser.add_argument(
        "--threshold",
        type=_share,
        default=doubts.THRESHOLD,
        help=f"list labels that are wrong with this probability (default: {doubts.THRESHOLD})",
    )
    return parser


def _folds(text: str) -> int:
    if not text.isdigit() or not 2 <= int(text) <= 100:
        raise argparse.ArgumentTypeError(f"expected a whole number from 2 to 100, not {text}")
    return int(text)


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"expected a number between 0 and 1, not {text}")
    return value


if __name__ == "__main__":
    run_program("check-labels", main, STOPPED)
