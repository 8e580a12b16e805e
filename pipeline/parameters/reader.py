"""Reading params.yaml: YAML 1.2, as DVC reads it, with errors in one line.

PyYAML reads YAML 1.1, where `1e-05` (which `dvc exp run -S` writes) is a
string; ruamel.yaml, which DVC uses too, reads the float, and refuses a
duplicate key.
"""

from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import YAMLError

from pipeline.errors import PipelineError, did_you_mean
from pipeline.parameters.schema import Parameters


def read_parameters(path: Path) -> Parameters:
    """Read and check params.yaml.

    Raises:
        PipelineError: one line that names the first wrong parameter, what is
            wrong with it and what would be right.
    """
    values = _read_yaml(path)
    known = list(Parameters.model_fields)
    for key in values:
        if key not in known:
            raise PipelineError(f"{path.name}: {key}: unknown parameter{did_you_mean(key, known)}")
    for key in known:
        if key not in values:
            raise PipelineError(f"{path.name}: {key}: missing; null stands for 'as published'")
    try:
        return Parameters.model_validate(values)
    except ValidationError as error:
        raise PipelineError(f"{path.name}: {_one_line(error)}") from None


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise PipelineError(f"{path.name}: not found in {path.absolute().parent}") from None
    except UnicodeDecodeError as error:
        raise PipelineError(
            f"{path.name}: not UTF-8 (byte {error.start}); save the file as UTF-8"
        ) from None
    try:
        values = YAML(typ="safe", pure=True).load(text)
    except DuplicateKeyError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else "?"
        raise PipelineError(
            f"{path.name}: line {line}: a key stands twice; keep one of the two"
        ) from None
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise PipelineError(
            f"{path.name}: {where}not YAML: {' '.join(str(problem).split())}"
        ) from None
    except ValueError as error:  # ruamel.yaml on a date such as 2026-13-45
        raise PipelineError(f"{path.name}: not YAML: {error}") from None
    if values is None:
        raise PipelineError(f"{path.name}: empty; `git checkout {path.name}` brings it back")
    if not isinstance(values, dict):
        raise PipelineError(f"{path.name}: expected `name: value` lines")
    return values


def _one_line(error: ValidationError) -> str:
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"] if not _is_union_tag(part)) or "parameters"
    message = first["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    if first["type"] == "value_error":
        return f"{name}: {message}" if first["loc"] else message
    return f"{name}: {message}, not {_shown(first['input'])}"


def _is_union_tag(part: str | int) -> bool:
    return isinstance(part, str) and ("[" in part or part in {"int", "float", "str", "bool"})


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
