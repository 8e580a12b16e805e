"""What experiment files and the benchmark's share: names, overrides, grids."""

import itertools
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from pipeline.errors import PipelineError, did_you_mean
from pipeline.parameters.checked import shown
from pipeline.parameters.schema import Count

# DVC keeps an experiment's name as a Git reference.
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?")


def _name(value: Any) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value) or ".." in value:
        raise ValueError(
            f"expected letters, digits, '-', '_' and '.' (quote a number), not {shown(value)}"
        )
    if value.endswith(".lock"):
        raise ValueError(f"{value}: Git allows no name that ends in .lock")
    return value


def _lines(value: Any) -> Any:
    if value is None:  # a key with nothing behind it
        return {}
    if not isinstance(value, dict):
        raise ValueError(f"expected `name: value` lines, not {shown(value)}")
    return value


def _values(value: Any) -> Any:
    if not isinstance(value, list) or not value:
        raise ValueError(f"expected a list, not {shown(value)}")
    return value


Name = Annotated[str, BeforeValidator(_name)]
Overrides = Annotated[dict[str, Any], BeforeValidator(_lines)]
Values = Annotated[list[Any], BeforeValidator(_values)]
Grid = Annotated[dict[str, Values], BeforeValidator(_lines)]
Seeds = Annotated[Count, Field(le=1000)]
Folds = Annotated[Count, Field(ge=2, le=100)]


def combined(grid: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Each combination of a grid's values; one, of nothing, of an empty grid."""
    return [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]


def check_once(names: Sequence[str], what: str) -> None:
    """No name stands for two of them (`what`: a word in the plural)."""
    for name, count in Counter(names).items():
        if count > 1:
            raise ValueError(f"{name}: {count} {what} have this name; rename one")


def check_known(where: str, asked: Iterable[str], names: Collection[str], what: str) -> None:
    """All that is asked for is there (`what`: a word in the singular).

    Raises:
        PipelineError: with the nearest right name.
    """
    for name in asked:
        if name not in names:
            raise PipelineError(f"{where}: {name}: no such {what}{did_you_mean(name, names)}")
