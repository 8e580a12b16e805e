"""The pairs to measure: experiments/benchmark.yaml, read and checked."""

import hashlib
import itertools
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.errors import PipelineError, did_you_mean
from tools.experiments.definition import (
    check_keys,
    check_known,
    check_name,
    check_once,
    listing,
    mapping,
    read_mapping,
    whole,
)

PAIR_KEYS = ("name", "about", "quick", "workspace", "overrides", "rounds", "variants", "goals")
VARIANT_KEYS = ("name", "command", "before", "overrides", "grid", "counts_as_epochs", "rounds")
GOAL_KEYS = ("quantity", "of", "over", "most", "least")
QUANTITIES = ("seconds", "images_per_second", "peak_mib", "accuracy")
PROGRAMS = ("dvc", "python")
_MODULE = re.compile(r"python -m ([\w.]+)")
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+):-([^}]*)\})")


@dataclass(frozen=True)
class Goal:
    """A quantity of the variant `of`, divided by that of `over` if there is one."""

    quantity: str
    of: str
    over: str | None
    most: float | None
    least: float | None

    def met(self, value: float) -> bool:
        """Whether a ratio, or a value, is as good as it should be."""
        return (self.most is None or value <= self.most) and (
            self.least is None or value >= self.least
        )


@dataclass(frozen=True)
class Variant:
    """One side of a pair: `command` is timed, `before` is not; in the first `rounds`
    rounds of the pair, or in all."""

    name: str
    command: str
    before: str | None
    overrides: dict[str, Any]
    counts_as_epochs: int | None
    rounds: int | None = None

    @property
    def modules(self) -> tuple[str, ...]:
        """What `python -m` runs in it."""
        return tuple(_MODULE.findall(f"{self.before or ''} {self.command}"))


@dataclass(frozen=True)
class Pair:
    """Variants that are measured in turn in one workspace, and what is hoped of them.

    `quick` is how many of the rounds `make bench-quick` measures.
    """

    name: str
    about: str
    quick: int
    workspace: str
    overrides: dict[str, Any]
    rounds: int
    variants: tuple[Variant, ...]
    goals: tuple[Goal, ...]

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


@dataclass(frozen=True)
class Definition:
    """`workspaces` maps a name to its overrides of params.yaml, variables not yet filled in."""

    workspaces: dict[str, dict[str, Any]]
    pairs: tuple[Pair, ...]

    def key(self, pair: Pair, variant: Variant) -> str:
        """A digest of all that is asked for: a changed variant is measured again."""
        of_variant = asdict(variant)
        del of_variant["rounds"]  # more rounds are no other measurement
        asked = (self.workspaces[pair.workspace], pair.overrides, of_variant)
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:16]


def read_definition(path: Path) -> Definition:
    """Read the file.

    Raises:
        PipelineError: one line with the file, the pair and what is wrong.
    """
    found = read_mapping(path)
    check_keys(str(path), found, ("workspaces", "pairs"), ("workspaces", "pairs"))
    workspaces = {
        name: mapping(f"{path}: workspaces: {name}", overrides)
        for name, overrides in mapping(f"{path}: workspaces", found["workspaces"]).items()
    }
    pairs = tuple(
        _pair(f"{path}: pair {number}", mapping(f"{path}: pair {number}", entry), workspaces)
        for number, entry in enumerate(listing(f"{path}: pairs", found["pairs"]), 1)
    )
    check_once(str(path), [pair.name for pair in pairs], "pairs")
    return Definition(workspaces, pairs)


def chosen(pairs: Sequence[Pair], only: Sequence[str], quick: bool) -> list[Pair]:
    """The pairs of these names, else all; with `quick` the quick ones, with fewer rounds.

    Raises:
        PipelineError: there is no pair of such a name.
    """
    check_known("--only", only, [pair.name for pair in pairs], "pair")
    wanted = [pair for pair in pairs if not only or pair.name in only]
    if quick:
        wanted = [replace(pair, rounds=pair.quick) for pair in wanted if pair.quick]
    return wanted


def filled_in(where: str, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Overrides with the environment's values in place of $NAME and ${NAME:-default}.

    Raises:
        PipelineError: a variable without a default is not set.
    """

    def value(match: re.Match[str]) -> str:
        name, default = match[1] or match[2], match[3]
        given = os.environ.get(name)
        if not given and default is None:
            raise PipelineError(f"{where}: {name} is not set")
        return given or default

    return {
        key: _VARIABLE.sub(value, text) if isinstance(text, str) else text
        for key, text in overrides.items()
    }


def _pair(where: str, entry: dict[str, Any], workspaces: Mapping[str, Any]) -> Pair:
    check_keys(where, entry, PAIR_KEYS, ("name", "about", "workspace", "rounds", "variants"))
    name = check_name(where, entry["name"])
    where = f"{where.rsplit(': ', 1)[0]}: {name}"
    if entry["workspace"] not in workspaces:
        near = did_you_mean(entry["workspace"], workspaces)
        raise PipelineError(f"{where}: workspace: {entry['workspace']}: unknown{near}")
    variants = [
        variant
        for each in listing(f"{where}: variants", entry["variants"])
        for variant in _variants(f"{where}: variants", mapping(f"{where}: variants", each))
    ]
    names = [variant.name for variant in variants]
    check_once(where, names, "variants")
    rounds = whole(f"{where}: rounds", entry["rounds"], 1)
    goals = listing(f"{where}: goals", entry["goals"]) if "goals" in entry else []
    return Pair(
        name=name,
        about=str(entry["about"]),
        quick=min(whole(f"{where}: quick", entry.get("quick", 0), 0), rounds),
        workspace=entry["workspace"],
        overrides=dict(mapping(f"{where}: overrides", entry.get("overrides") or {})),
        rounds=rounds,
        variants=tuple(variants),
        goals=tuple(_goal(f"{where}: goals", mapping(f"{where}: goals", g), names) for g in goals),
    )


def _variants(where: str, entry: dict[str, Any]) -> list[Variant]:
    """The variant, or one for each combination of its grid, named by its values."""
    check_keys(where, entry, VARIANT_KEYS, ("name", "command"))
    where = f"{where}: {entry['name']}"
    for key in ("command", "before"):
        if key in entry and str(entry[key]).split(" ")[0] not in PROGRAMS:
            raise PipelineError(f"{where}: {key}: expected a command of {' or '.join(PROGRAMS)}")
    for key in ("counts_as_epochs", "rounds"):
        if entry.get(key) is not None:
            whole(f"{where}: {key}", entry[key], 1)
    grid = mapping(f"{where}: grid", entry.get("grid") or {})
    values = [listing(f"{where}: grid: {key}", each) for key, each in grid.items()]
    return [
        Variant(
            name=", ".join(map(str, combination)) if grid else str(entry["name"]),
            command=str(entry["command"]),
            before=entry.get("before"),
            overrides={
                **mapping(f"{where}: overrides", entry.get("overrides") or {}),
                **dict(zip(grid, combination, strict=True)),
            },
            counts_as_epochs=entry.get("counts_as_epochs"),
            rounds=entry.get("rounds"),
        )
        for combination in itertools.product(*values)
    ]


def _goal(where: str, entry: dict[str, Any], variants: Sequence[str]) -> Goal:
    check_keys(where, entry, GOAL_KEYS, ("quantity", "of"))
    if entry["quantity"] not in QUANTITIES:
        near = did_you_mean(entry["quantity"], QUANTITIES)
        raise PipelineError(f"{where}: quantity: {entry['quantity']}: unknown{near}")
    for key in ("of", "over"):
        if key in entry and entry[key] not in variants:
            near = did_you_mean(entry[key], variants)
            raise PipelineError(f"{where}: {key}: {entry[key]}: no such variant{near}")
    if ("most" in entry) == ("least" in entry):
        raise PipelineError(f"{where}: expected one of most and least")
    return Goal(
        entry["quantity"], entry["of"], entry.get("over"), entry.get("most"), entry.get("least")
    )
