"""One experiment before it runs: its name and its parameters, checked as the pipeline does."""

import io
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.representer import RoundTripRepresenter

from pipeline.errors import PipelineError, did_you_mean
from pipeline.parameters.reader import read_parameters
from pipeline.parameters.resolve import resolve

PARAMS_FILE = "params.yaml"


@dataclass(frozen=True)
class Experiment:
    """`parameters` is the whole of params.yaml for this experiment; `group` is
    the name that it shares with its repeats under other training seeds."""

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
        for key in overrides:
            if key not in self.values:
                raise PipelineError(
                    f"{where}: {key}: unknown parameter{did_you_mean(key, self.values)}"
                )
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
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / PARAMS_FILE
        YAML().dump(dict(values), path)
        try:
            return resolve(read_parameters(path))
        except PipelineError as error:
            message = str(error).removeprefix(f"{PARAMS_FILE}: ")
            raise PipelineError(f"{where}: {message}") from None


def parameters_of(text: str) -> dict[str, Any]:
    """The values in the text of a params.yaml."""
    values: dict[str, Any] = YAML(typ="safe", pure=True).load(text)
    return values


def with_seeds(
    where: str, name: str, base: Base, overrides: Mapping[str, Any], seeds: int | None
) -> list[Experiment]:
    """The experiment, or `seeds` repeats of it that differ in the training seed alone.

    The seeds count up from the one that it would have: 42, 43, 44 …; the
    split's seed stays.
    """
    values = base.changed(where, overrides)
    if seeds is None:
        return [Experiment(name, name, values)]
    first = values["seed"]
    base.changed(where, {**overrides, "seed": first + seeds - 1})  # the largest is one, too
    return [
        Experiment(f"{name}-seed{seed}", name, {**values, "seed": seed})
        for seed in range(first, first + seeds)
    ]
