"""Reading the YAML files of this room, with errors in one line."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import YAMLError

from pipeline.errors import PipelineError, did_you_mean

# DVC keeps an experiment's name as a Git reference.
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?")


def read_mapping(path: Path) -> dict[str, Any]:
    """The `key: value` lines of a YAML 1.2 file.

    Raises:
        PipelineError: one line that names the file and what is wrong with it.
    """
    try:
        values = YAML(typ="safe", pure=True).load(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise PipelineError(f"{path}: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise PipelineError(f"{path}: not UTF-8 (byte {error.start}); save it as UTF-8") from None
    except DuplicateKeyError as error:
        raise PipelineError(
            f"{path}: {_line(error)}a key stands twice; keep one of the two"
        ) from None
    except (YAMLError, ValueError) as error:
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise PipelineError(
            f"{path}: {_line(error)}not YAML: {' '.join(str(problem).split())}"
        ) from None
    return mapping(str(path), values)


def mapping(where: str, value: Any) -> dict[str, Any]:
    """`value`, which must be `key: value` lines with words as keys."""
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise PipelineError(f"{where}: expected `key: value` lines, not {shown(value)}")
    return value


def listing(where: str, value: Any) -> list[Any]:
    """`value`, which must be a list with something in it."""
    if not isinstance(value, list) or not value:
        raise PipelineError(f"{where}: expected a list, not {shown(value)}")
    return value


def check_keys(
    where: str, found: dict[str, Any], known: Collection[str], required: Collection[str]
) -> None:
    """No key but the known ones, and all that are required.

    Raises:
        PipelineError: with the nearest right key.
    """
    for key in found:
        if key not in known:
            raise PipelineError(f"{where}: {key}: unknown key{did_you_mean(key, known)}")
    for key in required:
        if key not in found:
            raise PipelineError(f"{where}: {key}: missing")


def check_name(where: str, value: Any) -> str:
    """A name that DVC takes for an experiment."""
    if not isinstance(value, str) or not _NAME.fullmatch(value) or ".." in value:
        raise PipelineError(
            f"{where}: name: expected letters, digits, '-', '_' and '.' (quote a number), "
            f"not {shown(value)}"
        )
    if value.endswith(".lock"):
        raise PipelineError(f"{where}: name: {value}: Git allows no name that ends in .lock")
    return value


def check_once(where: str, names: Sequence[str], what: str) -> None:
    """No name stands for two of them (`what`: a word in the plural)."""
    for name, count in Counter(names).items():
        if count > 1:
            raise PipelineError(f"{where}: {name}: {count} {what} have this name; rename one")


def check_known(where: str, asked: Iterable[str], names: Collection[str], what: str) -> None:
    """All that is asked for is there (`what`: a word in the singular).

    Raises:
        PipelineError: with the nearest right name.
    """
    for name in asked:
        if name not in names:
            raise PipelineError(f"{where}: {name}: no such {what}{did_you_mean(name, names)}")


def whole(where: str, value: Any, least: int) -> int:
    """A whole number of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise PipelineError(f"{where}: expected a whole number from {least}, not {shown(value)}")
    return value


def shown(value: object) -> str:
    """A value for the end of a line."""
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _line(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    return f"line {mark.line + 1}: " if mark else ""
