"""The pairs to measure: experiments/benchmark.yaml, read and checked."""

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from pipeline.errors import PipelineError, did_you_mean
from pipeline.parameters.checked import Checked, check, read_yaml
from pipeline.parameters.schema import Count, Number, Whole
from tools.experiments.fields import Grid, Name, Overrides, check_known, check_once, combined

PROGRAMS = ("dvc", "python")
_MODULE = re.compile(r"python -m ([\w.]+)")
_VARIABLE = re.compile(r"\$(\w+)")


def _command(value: Any) -> Any:
    if not isinstance(value, str) or value.split(" ")[0] not in PROGRAMS:
        raise ValueError(f"expected a command of {' or '.join(PROGRAMS)}")
    return value


Command = Annotated[str, BeforeValidator(_command)]


class Goal(Checked):
    """A quantity of the variant `of`, divided by that of `over` if there is one."""

    quantity: Literal["seconds", "images_per_second", "peak_mib", "accuracy"]
    of: str
    over: str | None = None
    most: Number | None = None
    least: Number | None = None

    @model_validator(mode="after")
    def _one_bound(self) -> Self:
        if (self.most is None) == (self.least is None):
            raise ValueError("expected one of most and least")
        return self

    def met(self, value: float) -> bool:
        """Whether a ratio, or a value, is as good as it should be."""
        return (self.most is None or value <= self.most) and (
            self.least is None or value >= self.least
        )


class Variant(Checked):
    """One side of a pair: `command` is timed, `before` is not; in the first `rounds`
    rounds of the pair, or in all. With a grid it stands for a variant a combination."""

    name: str
    command: Command
    before: Command | None = None
    overrides: Overrides = Field(default_factory=dict)
    grid: Grid = Field(default_factory=dict)
    counts_as_epochs: Count | None = None
    rounds: Count | None = None

    @property
    def modules(self) -> tuple[str, ...]:
        """What `python -m` runs in it."""
        return tuple(_MODULE.findall(f"{self.before or ''} {self.command}"))

    def spelled_out(self) -> list["Variant"]:
        """The variant, or one for each combination of its grid, named by its values."""
        if not self.grid:
            return [self]
        return [
            self.model_copy(
                update={
                    "name": ", ".join(map(str, chosen.values())),
                    "overrides": {**self.overrides, **chosen},
                    "grid": {},
                }
            )
            for chosen in combined(self.grid)
        ]


class Pair(Checked):
    """Variants that are measured in turn in one workspace, and what is hoped of them.

    `quick` is how many of the rounds `make bench-quick` measures.
    """

    name: Name
    about: str
    workspace: str
    rounds: Count
    quick: Annotated[Whole, Field(ge=0)] = 0
    overrides: Overrides = Field(default_factory=dict)
    variants: Annotated[list[Variant], Field(min_length=1)]
    goals: list[Goal] = Field(default_factory=list)

    @model_validator(mode="after")
    def _known_variants(self) -> Self:
        self.variants[:] = [each for variant in self.variants for each in variant.spelled_out()]
        names = [variant.name for variant in self.variants]
        check_once(names, "variants")
        for number, goal in enumerate(self.goals, 1):
            for key, name in (("of", goal.of), ("over", goal.over)):
                if name is not None and name not in names:
                    near = did_you_mean(name, names)
                    raise ValueError(f"goals {number}: {key}: {name}: no such variant{near}")
        return self

    def rounds_of(self, variant: Variant) -> int:
        """In how many rounds the variant is measured, the first ones."""
        return self.rounds if variant.rounds is None else min(variant.rounds, self.rounds)

    def measurements(self) -> list[tuple[int, Variant]]:
        """All that is measured, round by round, each with the round's number from 1."""
        return [
            (number, variant)
            for number in range(1, self.rounds + 1)
            for variant in self.variants
            if number <= self.rounds_of(variant)
        ]


class Definition(Checked):
    """`workspaces` maps a name to its overrides of params.yaml, variables not yet filled in."""

    workspaces: dict[str, Overrides]
    pairs: Annotated[list[Pair], Field(min_length=1)]

    @model_validator(mode="after")
    def _known_workspaces(self) -> Self:
        check_once([pair.name for pair in self.pairs], "pairs")
        for pair in self.pairs:
            if pair.workspace not in self.workspaces:
                near = did_you_mean(pair.workspace, self.workspaces)
                raise ValueError(f"{pair.name}: workspace: {pair.workspace}: unknown{near}")
        return self

    def key(self, pair: Pair, variant: Variant) -> str:
        """A digest of all that is asked for: a changed variant is measured again."""
        # Neither more rounds nor the grid that it comes from are another measurement.
        of_variant = variant.model_dump(exclude={"rounds", "grid"})
        asked = (self.workspaces[pair.workspace], pair.overrides, of_variant)
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:16]


def read_definition(path: Path) -> Definition:
    """Read the file.

    Raises:
        PipelineError: one line with the file, the pair and what is wrong.
    """
    return check(Definition, str(path), read_yaml(path))


def chosen(pairs: Sequence[Pair], only: Sequence[str], quick: bool) -> list[Pair]:
    """The pairs of these names, else all; with `quick` the quick ones, with fewer rounds.

    Raises:
        PipelineError: there is no pair of such a name.
    """
    check_known("--only", only, [pair.name for pair in pairs], "pair")
    wanted = [pair for pair in pairs if not only or pair.name in only]
    if quick:
        wanted = [
            pair.model_copy(update={"rounds": min(pair.quick, pair.rounds)})
            for pair in wanted
            if pair.quick
        ]
    return wanted


def filled_in(where: str, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Overrides with the environment's values in place of $NAME.

    Raises:
        PipelineError: a variable is not set.
    """

    def value(match: re.Match[str]) -> str:
        given = os.environ.get(match[1])
        if not given:
            raise PipelineError(f"{where}: {match[1]} is not set")
        return given

    return {
        key: _VARIABLE.sub(value, text) if isinstance(text, str) else text
        for key, text in overrides.items()
    }
