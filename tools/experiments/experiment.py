"""One experiment before it runs: its name and its parameters, checked as the pipeline does."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.representer import RoundTripRepresenter

from pipeline.errors import PipelineError
from pipeline.parameters.checked import check
from pipeline.parameters.resolve import resolve
from pipeline.parameters.schema import Parameters

PARAMS_FILE = "params.yaml"


@dataclass(frozen=True)
class Experiment:
    """`parameters` is the whole of params.yaml for this experiment; `group` is
    the name that it shares with its repeats under other training seeds and folds."""

    name: str
    group: str
    parameters: dict[str, Any]


class _WithNull(RoundTripRepresenter):
    """Writes `null`, where ruamel.yaml would leave the value empty."""

    def represent_none(self, data: None) -> Any:
        return self.represent_scalar("tag:yaml.org,2002:null", "null")


_WithNull.add_representer(type(None), _WithNull.represent_none)


class Base:
    """The committed params.yaml, which every experiment changes a little."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.values: dict[str, Any] = YAML(typ="safe", pure=True).load(text)

    def changed(self, where: str, overrides: Mapping[str, Any]) -> dict[str, Any]:
        """params.yaml with these values, checked as the stage `params` would.

        Raises:
            PipelineError: a wrong parameter; the line begins with `where`.
        """
        values = {**self.values, **overrides}
        resolved_parameters(where, values)
        return values

    def written(self, values: Mapping[str, Any]) -> str:
        """The text of params.yaml with these values; comments and order stay."""
        yaml = YAML()
        yaml.Representer = _WithNull
        yaml.width = 4096
        document = yaml.load(self.text)
        for key, value in values.items():
            if document[key] != value or type(document[key]) is not type(value):
                document[key] = value
        stream = io.StringIO()
        yaml.dump(document, stream)
        return stream.getvalue()


def resolved_parameters(where: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters with every null filled in.

    Raises:
        PipelineError: they are wrong; the line begins with `where`.
    """
    parameters = check(Parameters, where, dict(values))
    try:
        return resolve(parameters)
    except PipelineError as error:
        raise PipelineError(f"{where}: {error}") from None


def parameters_of(text: str) -> dict[str, Any]:
    """The values in the text of a params.yaml."""
    values: dict[str, Any] = YAML(typ="safe", pure=True).load(text)
    return values


def repeated(
    where: str,
    name: str,
    base: Base,
    overrides: Mapping[str, Any],
    seeds: int | None,
    folds: int | None,
) -> list[Experiment]:
    """The experiment, or repeats of it: `seeds` training seeds with each of `folds` folds.

    The seeds count up from the one that it would have: 42, 43, 44 …; the
    split's seed stays, and so does the test part.
    """
    if folds is not None:
        for key in ("folds", "fold"):
            if key in overrides:
                raise PipelineError(
                    f"{where}: {key}: stands under overrides or in a grid, and folds beside it; "
                    "keep one of the two"
                )
        overrides = {**overrides, "folds": folds, "fold": folds - 1}  # the largest is one, too
    values = base.changed(where, overrides)
    first = values["seed"]
    if seeds is not None:
        base.changed(where, {**overrides, "seed": first + seeds - 1})
    found = []
    for seed in range(first, first + (seeds or 1)):
        for fold in range(folds) if folds else [values["fold"]]:
            words = [name]
            words += [f"seed{seed}"] if seeds else []
            words += [f"fold{fold}"] if folds else []
            found.append(Experiment("-".join(words), name, {**values, "seed": seed, "fold": fold}))
    return found
