"""What a search may draw, tried out before anything runs, and drawn by Optuna."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pipeline.errors import PipelineError
from tools.experiments.experiment import Base, resolved_parameters
from tools.experiments.file import Dimension, ExperimentFile, Search

if TYPE_CHECKING:
    from optuna.trial import Trial


class Space:
    """A search's file with the params.yaml that it changes.

    Raises:
        PipelineError: it is no search, or an end of a range or a choice is no
            parameter; the line begins with `where`.
    """

    def __init__(self, where: str, file: ExperimentFile, base: Base) -> None:
        if file.search is None:
            raise PipelineError(f"{where}: search: missing; `make sweep` runs lists and grids")
        self.name = file.name
        self.search: Search = file.search
        self.defaults = file.defaults
        self.base = base
        self._whole = {key for key in self.search.space if _is_whole(base, key)}
        self._try_out(f"{where}: search: space")

    def draw(self, trial: "Trial") -> dict[str, Any]:
        """The whole of params.yaml with what the trial draws."""
        values = dict(self.defaults)
        for key, found in self.search.space.items():
            if isinstance(found, list):
                values[key] = [_draw(each, trial, f"{key}.{i}") for i, each in enumerate(found)]
            else:
                values[key] = _draw(found, trial, key, key in self._whole)
        return self.base.changed(self.name, values)

    def threads(self) -> int:
        """The parameter `threads` of every trial."""
        return int({**self.base.values, **self.defaults}["threads"])

    def asked(self) -> str:
        """What may not change while a study goes on."""
        space = self.search.model_dump(mode="json")["space"]
        return json.dumps({"defaults": self.defaults, "space": space}, sort_keys=True)

    def _try_out(self, where: str) -> None:
        """Resolve the defaults with each end of each dimension, the others at their first."""
        space = self.search.space
        first: dict[str, Any] = {
            key: [each.ends()[0] for each in found] if isinstance(found, list) else found.ends()[0]
            for key, found in space.items()
        }
        for key in self._whole:
            for end in ("low", "high"):
                value = getattr(space[key], end, None)
                if value is not None and not isinstance(value, int):
                    raise PipelineError(
                        f"{where}: {key}: {end}: expected a whole number, not {value}"
                    )
        for key, found in space.items():
            for place, each in enumerate(found if isinstance(found, list) else [found]):
                for end in each.ends():
                    rates = [*first[key]] if isinstance(found, list) else end
                    if isinstance(found, list):
                        rates[place] = end
                    self._check(where, {**first, key: rates})

    def _check(self, where: str, values: Mapping[str, Any]) -> None:
        resolved = resolved_parameters(where, {**self.base.values, **self.defaults, **values})
        own = resolved["folds"] or resolved["dataset"].startswith("/")
        if resolved["validation_fraction"] == 0 and not own:
            raise PipelineError(
                f"{where}: validation_fraction: 0 leaves nothing to choose by; set it above 0"
            )


def _draw(found: Dimension, trial: "Trial", key: str, whole: bool = False) -> Any:
    if found.choices is not None:  # as JSON: Optuna stores no lists
        choice = trial.suggest_categorical(key, [json.dumps(each) for each in found.choices])
        return json.loads(choice)
    if whole:
        return trial.suggest_int(key, found.low, found.high, log=found.log)
    return trial.suggest_float(key, found.low, found.high, log=found.log)


def _is_whole(base: Base, key: str) -> bool:
    """Whether the parameter takes whole numbers alone: the reader refuses a half."""
    try:
        base.changed("", {key: 0.5})
    except PipelineError as error:
        return "whole number" in str(error)
    return False
