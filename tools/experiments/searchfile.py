"""A search's file: which parameters Optuna may choose, and from what.

name: digits-search        # of the study and its experiments
trials: 20
defaults:                  # as in a sweep's file
  dataset: digits
  epochs: 10
space:
  dropout:                 # a list has one choice for each of its places
    - {low: 0.0, high: 0.5}
    - {low: 0.2, high: 0.9}
  learning_rate: {low: 1.0e-4, high: 1.0e-2, log: true}
  batch_size: {choices: [32, 64, 128]}
startup_trials: 5          # these are drawn at random, and none of them is pruned
prune_after: 2             # epochs that every trial gets
seed: 0                    # of Optuna's draws; the training's is a parameter
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import PipelineError
from tools.experiments.definition import (
    check_keys,
    check_name,
    listing,
    mapping,
    read_mapping,
    shown,
    whole,
)
from tools.experiments.experiment import Base, resolved_parameters

if TYPE_CHECKING:
    from optuna.trial import Trial

KEYS = ("name", "trials", "defaults", "space", "startup_trials", "prune_after", "seed")


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included; whole ones where the parameter is whole."""

    low: float
    high: float
    log: bool
    is_whole: bool

    def draw(self, trial: "Trial", key: str) -> float:
        if self.is_whole:
            return trial.suggest_int(key, int(self.low), int(self.high), log=self.log)
        return trial.suggest_float(key, self.low, self.high, log=self.log)

    def ends(self) -> list[Any]:
        return [self.low, self.high]


@dataclass(frozen=True)
class Choice:
    """One of these values, of any type that params.yaml knows."""

    values: tuple[Any, ...]

    def draw(self, trial: "Trial", key: str) -> Any:
        # As JSON: Optuna stores no lists.
        return json.loads(trial.suggest_categorical(key, [json.dumps(v) for v in self.values]))

    def ends(self) -> list[Any]:
        return list(self.values)


Dimension = Range | Choice


@dataclass(frozen=True)
class Search:
    """A search's file, read and checked."""

    name: str
    trials: int
    defaults: dict[str, Any]
    space: dict[str, Dimension | list[Dimension]]
    startup_trials: int
    prune_after: int
    seed: int

    def draw(self, trial: "Trial") -> dict[str, Any]:
        """What the trial changes in params.yaml: the defaults and its own values."""
        values = dict(self.defaults)
        for key, found in self.space.items():
            if isinstance(found, list):
                values[key] = [each.draw(trial, f"{key}.{i}") for i, each in enumerate(found)]
            else:
                values[key] = found.draw(trial, key)
        return values


def read_search(path: Path, base: Base) -> Search:
    """Read a search's file; both ends of every range and every choice are tried as parameters.

    Raises:
        PipelineError: one line with the file, the key and what is wrong.
    """
    found = read_mapping(path)
    check_keys(str(path), found, KEYS, ("name", "trials", "space"))
    defaults = mapping(f"{path}: defaults", found.get("defaults") or {})
    spaces = mapping(f"{path}: space", found["space"])
    if not spaces:
        raise PipelineError(f"{path}: space: empty; name at least one parameter")
    space: dict[str, Dimension | list[Dimension]] = {}
    for key, value in spaces.items():
        where = f"{path}: space: {key}"
        if key in defaults:
            raise PipelineError(f"{where}: stands under defaults too; keep one of the two")
        if isinstance(value, list):
            space[key] = [
                _dimension(f"{where}: place {i}", each, False)
                for i, each in enumerate(listing(where, value), 1)
            ]
        else:
            space[key] = _dimension(where, value, _is_whole(base, key))
    search = Search(
        name=check_name(str(path), found["name"]),
        trials=whole(f"{path}: trials", found["trials"], 1),
        defaults=defaults,
        space=space,
        startup_trials=whole(f"{path}: startup_trials", found.get("startup_trials", 5), 0),
        prune_after=whole(f"{path}: prune_after", found.get("prune_after", 1), 0),
        seed=whole(f"{path}: seed", found.get("seed", 0), 0),
    )
    _try_out(path, base, search)
    return search


def _dimension(where: str, value: Any, is_whole: bool) -> Dimension:
    known = ("low", "high", "log", "choices")
    check_keys(where, mapping(where, value), known, ())
    if "choices" in value:
        if len(value) > 1:
            raise PipelineError(f"{where}: choices or low and high, not both")
        return Choice(tuple(listing(f"{where}: choices", value["choices"])))
    check_keys(where, value, known, ("low", "high"))
    low, high, log = value["low"], value["high"], value.get("log", False)
    for name, end in (("low", low), ("high", high)):
        if isinstance(end, bool) or not isinstance(end, int | float):
            raise PipelineError(f"{where}: {name}: expected a number, not {shown(end)}")
        if is_whole and not isinstance(end, int):
            raise PipelineError(f"{where}: {name}: expected a whole number, not {shown(end)}")
    if not low < high:
        raise PipelineError(f"{where}: low: {low} is not below high, {high}")
    if not isinstance(log, bool):
        raise PipelineError(f"{where}: log: expected true or false, not {shown(log)}")
    if log and low <= 0:
        raise PipelineError(f"{where}: low: {low}: a logarithmic range begins above 0")
    return Range(low, high, log, is_whole)


def _is_whole(base: Base, key: str) -> bool:
    """Whether the parameter takes whole numbers alone: the reader refuses a half."""
    try:
        base.changed("", {key: 0.5})
    except PipelineError as error:
        return "whole number" in str(error)
    return False


def _try_out(path: Path, base: Base, search: Search) -> None:
    """Resolve the defaults with each end of each dimension, the others at their first."""
    first: dict[str, Any] = {
        key: [each.ends()[0] for each in found] if isinstance(found, list) else found.ends()[0]
        for key, found in search.space.items()
    }

    def check(where: str, values: Mapping[str, Any]) -> None:
        resolved = resolved_parameters(where, base.changed(where, {**search.defaults, **values}))
        if resolved["validation_fraction"] == 0 and not resolved["dataset"].startswith("/"):
            raise PipelineError(
                f"{where}: validation_fraction: 0 leaves nothing to choose by; set it above 0"
            )

    where = f"{path}: space"
    for key, found in search.space.items():
        if isinstance(found, list):
            for place, each in enumerate(found):
                for end in each.ends():
                    rates = list(first[key])
                    rates[place] = end
                    check(where, {**first, key: rates})
        else:
            for end in found.ends():
                check(where, {**first, key: end})
