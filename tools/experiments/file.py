"""An experiment file: a list, a grid, repeats over seeds and folds, a search, published figures.

name: digits               # of a grid or a search; the file's own name where it is left out
defaults:                  # of all experiments: what they change in params.yaml
  dataset: digits
  epochs: 5
resources: {cpu: 2, gpu: 1} # of each on a cluster; `cpu` is `threads` where it is left out
seeds: 3                   # training seeds of each, on the same split; one run where left out
folds: 5                   # each fold validates once; with seeds, each seed with each fold
grid:                      # each experiment with each combination of these values; without
  dropout: [0.2, 0.8]      # `experiments` the combinations alone
experiments:
  - name: adam
  - name: sgd
    overrides: {optimizer: sgd}
    seeds: 5
    grid: {learning_rate: [0.01, 0.1]}
    data: digits, 80/20    # in words
    expected:              # what a source gives for it
      {source: course notes, accuracy: 0.98, seconds: 12, diagonal: [9, 10], words: fast, note: …}
    against: adam          # another row, whose predictions are compared with these
    open: why it cannot be run here

search:                    # in place of grid, seeds and experiments: Optuna chooses
  trials: 20
  space:
    dropout:               # a list has one choice for each of its places
      - {low: 0.0, high: 0.5}
      - {low: 0.2, high: 0.9}
    learning_rate: {low: 1.0e-4, high: 1.0e-2, log: true}
    batch_size: {choices: [32, 64, 128]}
  startup_trials: 5        # these are drawn at random, and none of them is pruned
  prune_after: 2           # epochs that every trial gets
  seed: 0                  # of Optuna's draws; the training's is a parameter
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePath
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from pipeline.errors import PipelineError
from pipeline.parameters.checked import Checked, check, read_yaml, shown
from pipeline.parameters.schema import Count, Number, Seed, Whole
from tools.experiments.experiment import Base, Experiment, repeated
from tools.experiments.fields import (
    Folds,
    Grid,
    Name,
    Overrides,
    Seeds,
    Values,
    check_once,
    combined,
)


class Expected(Checked):
    """What a source says that comes out: on the test images, in seconds of training."""

    source: str = ""
    accuracy: Number | None = None
    seconds: Number | None = None
    words: str = ""
    diagonal: list[Whole] | None = None  # of the confusion matrix
    note: str = ""


class Entry(Checked):
    """One experiment of the list, or several that differ in a grid's values, seed and fold."""

    name: Name
    overrides: Overrides = Field(default_factory=dict)
    grid: Grid = Field(default_factory=dict)
    seeds: Seeds | None = None
    folds: Folds | None = None
    data: str = ""
    expected: Expected = Expected()
    against: str = ""
    open: str = ""
    tuning_log: bool = False


def _end(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"expected a number, not {shown(value)}")
    return value


class Dimension(Checked):
    """Numbers from `low` to `high`, both included, or one of `choices`."""

    low: Annotated[Any, BeforeValidator(_end)] = None
    high: Annotated[Any, BeforeValidator(_end)] = None
    log: bool = False
    choices: Values | None = None

    @model_validator(mode="after")
    def _either(self) -> Self:
        if self.choices is not None:
            if len(self.model_fields_set) > 1:
                raise ValueError("choices or low and high, not both")
            return self
        for key in ("low", "high"):
            if getattr(self, key) is None:
                raise ValueError(f"{key}: missing")
        if not self.low < self.high:
            raise ValueError(f"low: {self.low} is not below high, {self.high}")
        if self.log and self.low <= 0:
            raise ValueError(f"low: {self.low}: a logarithmic range begins above 0")
        return self

    def ends(self) -> list[Any]:
        """The values to try out before anything runs."""
        return self.choices or [self.low, self.high]


def _kind(value: Any) -> str:
    return "places" if isinstance(value, list) else "one"


Place = Annotated[
    Annotated[Dimension, Tag("one")] | Annotated[list[Dimension], Tag("places")],
    Discriminator(_kind),
]


class Search(Checked):
    """What Optuna searches, how long, and when it gives a trial up."""

    trials: Count
    space: Annotated[dict[str, Place], Field(min_length=1)]
    startup_trials: Annotated[Whole, Field(ge=0)] = 5
    prune_after: Annotated[Whole, Field(ge=0)] = 1
    seed: Seed = 0


class Resources(Checked):
    """What an experiment has of a cluster's node to itself."""

    cpu: Count | None = None
    gpu: Annotated[Whole, Field(ge=0)] = 0


class ExperimentFile(Checked):
    """A file as it is written; its experiments' parameters are checked by `experiments`."""

    name: Name
    defaults: Overrides = Field(default_factory=dict)
    seeds: Seeds | None = None
    folds: Folds | None = None
    grid: Grid = Field(default_factory=dict)
    experiments: Annotated[list[Entry], Field(min_length=1)] | None = None
    search: Search | None = None
    resources: Resources = Resources()

    @model_validator(mode="after")
    def _something(self) -> Self:
        listed = [key for key in ("experiments", "grid", "seeds", "folds") if getattr(self, key)]
        if self.search is None and not {"experiments", "grid"} & set(listed):
            raise ValueError("expected experiments, a grid or a search")
        if self.search and listed:
            raise ValueError(f"{listed[0]}: does not go with a search; give it a file of its own")
        check_once([entry.name for entry in self.experiments or []], "experiments")
        for entry in self.experiments or []:
            for key in {**self.grid, **entry.grid}:
                if key in entry.overrides:
                    raise ValueError(
                        f"experiments: {entry.name}: {key}: stands under overrides and in a grid; "
                        "keep one of the two"
                    )
        for key in self.search.space if self.search else ():
            if key in self.defaults:
                raise ValueError(
                    f"search: space: {key}: stands under defaults too; keep one of the two"
                )
        return self

    @property
    def entries(self) -> list[Entry]:
        """The list; without one the grid alone."""
        return self.experiments or [Entry(name=self.name)]

    def combinations(self, entry: Entry) -> Iterator[tuple[str, dict[str, Any]]]:
        """What each of an entry's experiments is called and changes, repeats aside."""
        grid = {**self.grid, **entry.grid}
        for chosen in combined(grid):
            parts = [f"{key}-{_word(value)}" for key, value in chosen.items()]
            yield "-".join([entry.name, *parts]), {**self.defaults, **chosen, **entry.overrides}

    def expanded(
        self, where: str, base: Base, entries: Iterable[Entry] | None = None, prefix: str = ""
    ) -> list[Experiment]:
        """The experiments (of some entries alone), repeats spelled out, in the file's order;
        `prefix` begins their names.

        Raises:
            PipelineError: one line that begins with `where` and has the
                experiment and what is wrong.
        """
        if unknown := {k: v for k, v in self.defaults.items() if k not in base.values}:
            base.changed(f"{where}: defaults", unknown)
        found: list[Experiment] = []
        for entry in self.entries if entries is None else entries:
            seeds = self.seeds if entry.seeds is None else entry.seeds
            folds = self.folds if entry.folds is None else entry.folds
            for name, overrides in self.combinations(entry):
                named = f"{where}: {name}", prefix + name
                found += repeated(*named, base, overrides, seeds, folds)
        try:
            check_once([experiment.name for experiment in found], "experiments")
        except ValueError as error:
            raise PipelineError(f"{where}: {error}") from None
        return found


def read_file(path: Path) -> ExperimentFile:
    """Read an experiment file.

    Raises:
        PipelineError: one line with the file, the experiment and what is wrong.
    """
    return check(ExperimentFile, str(path), {"name": path.stem, **read_yaml(path)})


def _word(value: Any) -> str:
    """A value as a part of an experiment's name: 0.1-0.8 of a list, its last name of a path."""
    values = value if isinstance(value, list) else [value]
    text = "-".join(PurePath(str(each)).name for each in values).lower()
    return re.sub(r"[^a-z0-9_.-]", "", text) or "none"
