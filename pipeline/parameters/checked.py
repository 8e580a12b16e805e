"""Files of `name: value` lines that people write: read as YAML 1.2, checked by a Pydantic model.

PyYAML reads YAML 1.1, where `1e-05` (which `dvc exp run -S` writes) is a
string; ruamel.yaml, which DVC uses too, reads the float, and refuses a
duplicate key. Whatever is wrong is one line.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import YAMLError

from pipeline.errors import PipelineError, did_you_mean


class Checked(BaseModel):
    """A model of such lines: no other types are taken for the right ones, no key is ignored."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
    # What a line says of a key that is unknown, and of one that is not there.
    unknown: ClassVar[str] = "unknown key"
    missing: ClassVar[str] = "missing"

    @model_validator(mode="before")
    @classmethod
    def _keys(cls, values: Any) -> Any:
        if isinstance(values, cls):
            return values
        _check_mapping(values)
        for key in values:
            if key not in cls.model_fields:
                raise ValueError(f"{key}: {cls.unknown}{did_you_mean(key, cls.model_fields)}")
        for key, field in cls.model_fields.items():
            if field.is_required() and key not in values:
                raise ValueError(f"{key}: {cls.missing}")
        return values


Model = TypeVar("Model", bound=Checked)


def check(model: type[Model], where: str, values: Any) -> Model:
    """`values` as a model.

    Raises:
        PipelineError: one line that begins with `where`.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise PipelineError(f"{where}: {one_line(error, values)}") from None


def one_line(error: ValidationError, values: Any) -> str:
    """The first thing that is wrong: where it stands, what is wrong, and what would be right.

    An element of a list is called by its name, if it has one, else by its number.
    """
    first = error.errors()[0]
    names: list[str] = []
    place = values
    for part in first["loc"]:
        if isinstance(part, int):
            place = place[part] if isinstance(place, list) and part < len(place) else None
            own = place.get("name") if isinstance(place, dict) else None
            names[-1:] = [own] if isinstance(own, str) else [f"{' '.join(names[-1:])} {part + 1}"]
        elif isinstance(place, dict) and part in place:
            place = place[part]
            names.append(part)
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "value_error":
        return ": ".join([*names, message])
    message = message[0].lower() + message[1:]
    return ": ".join([*names, f"{message}, not {shown(first['input'])}"])


def read_yaml(path: Path, name: str | None = None) -> dict[str, Any]:
    """The `name: value` lines of a file, which an error calls `name` (default: its path).

    Raises:
        PipelineError: one line with the file and what is wrong with it.
    """
    name = name or str(path)
    try:
        values = YAML(typ="safe", pure=True).load(path.read_bytes().decode("utf-8-sig"))
    except FileNotFoundError:
        raise PipelineError(f"{name}: not found in {path.absolute().parent}") from None
    except OSError as error:
        raise PipelineError(f"{name}: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise PipelineError(
            f"{name}: not UTF-8 (byte {error.start}); save the file as UTF-8"
        ) from None
    except DuplicateKeyError as error:
        raise PipelineError(
            f"{name}: {_line(error)}a key stands twice; keep one of the two"
        ) from None
    except (YAMLError, ValueError) as error:  # a ValueError on a date such as 2026-13-45
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise PipelineError(
            f"{name}: {_line(error)}not YAML: {' '.join(str(problem).split())}"
        ) from None
    if values is None:
        raise PipelineError(f"{name}: empty; `git checkout {path.name}` brings it back")
    try:
        return dict(_check_mapping(values))
    except ValueError as error:
        raise PipelineError(f"{name}: {error}") from None


def shown(value: object) -> str:
    """A value for the end of a line."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _check_mapping(values: Any) -> Mapping[str, Any]:
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise ValueError(f"expected `name: value` lines, not {shown(values)}")
    return values


def _line(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    return f"line {mark.line + 1}: " if mark else ""
