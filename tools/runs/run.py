"""What is known of one run, from whichever tool it was read."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from pipeline.training.history import kept_epoch

# What does not change the model: two runs that differ in these alone are one setting.
REPEATED = ("seed", "fold", "explain_image")


@dataclass(frozen=True)
class Outcome:
    """Which test images a model named rightly.

    `right` is bool (images,), in the order of the test part; `images` is a
    digest of the rows' index, name and label, so that two outcomes of unlike
    test parts are not laid upon each other.
    """

    right: npt.NDArray[np.bool_]
    images: str


@dataclass
class Results:
    """The reports of a run; what was not written, or cannot be read, is empty or None.

    `history` has a list for each column of history.csv, one value an epoch;
    `confusion` counts images, int64 (classes, classes), a row a true class.
    """

    history: dict[str, list[float]] = field(default_factory=dict)
    classes: list[str] = field(default_factory=list)
    confusion: npt.NDArray[np.int64] | None = None
    outcome: Outcome | None = None
    problems: list[str] = field(default_factory=list)


@dataclass
class Run:
    """One training and its scores.

    `parameters` are spelled as params.yaml would (true, null, 0.8); `metrics`
    have the names that the MLflow record gives them (test_accuracy,
    train_seconds); `experiments` are the names of the DVC experiments with
    this result; `started` is in seconds (Unix), 0 if unknown; `code` is the
    digest of the code that decided it, '' if unknown.
    """

    id: str
    name: str
    source: str  # MLflow or DVC
    status: str
    started: float
    parameters: dict[str, str]
    metrics: dict[str, float]
    results: Results
    experiments: list[str] = field(default_factory=list)
    commit: str = ""
    failure: str = ""
    data_digest: str = ""
    test_digest: str = ""
    code: str = ""

    @property
    def kept_epoch(self) -> int | None:
        """The position in the history of the epoch whose weights the model has."""
        columns = {
            {"phase_number": "phase"}.get(name, name): column
            for name, column in self.results.history.items()
        }
        rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        return kept_epoch(rows, self.parameters.get("best_weights") == "true")

    @property
    def validation_accuracy(self) -> float | None:
        """That of the model as it was saved; None without a validation part."""
        return self._kept("val_accuracy")

    @property
    def gap(self) -> float | None:
        """How much better the training images are told apart than the validation images.

        Accuracies of the kept epoch, the first of them with dropout and
        augmentation; None without a validation part.
        """
        train, validation = self._kept("accuracy"), self._kept("val_accuracy")
        return None if train is None or validation is None else train - validation

    def _kept(self, name: str) -> float | None:
        epoch, column = self.kept_epoch, self.results.history.get(name)
        return column[epoch] if column and epoch is not None else None


def setting(run: Run) -> str:
    """What two runs share that differ in nothing but the seed of the training and the fold.

    Folds train on unlike data and are tested on the same images.
    """
    data = run.data_digest
    if folds_of(run):
        data = run.results.outcome.images if run.results.outcome else run.id
    return repr((sorted(decisive(run.parameters).items()), data))


def folds_of(run: Run) -> int | None:
    """How many folds the run is one of; None where there are none."""
    folds = run.parameters.get("folds", "null")
    return int(folds) if folds.isdigit() else None


def decisive(parameters: Mapping[str, str]) -> dict[str, str]:
    """The parameters without those that only repeat a training."""
    return {name: value for name, value in parameters.items() if name not in REPEATED}
