"""Folds, groups and lists of a person's own: what goes together, and which files are named."""

import re
from pathlib import Path
from typing import Any

from pipeline.errors import PipelineError
from pipeline.parameters.schema import Parameters
from pipeline.runtime import paths
from pipeline.runtime.git import tried

NONE = "none"
FILES = ("groups", "label_fixes")


def resolved(parameters: Parameters) -> dict[str, Any]:
    """`groups` and `label_fixes` with None for none, the others checked.

    Raises:
        PipelineError: a fold that is not there, a pattern that captures
            nothing, a file that is not there or that Git does not track.
    """
    _check_fold(parameters)
    if parameters.group_by is not None:
        pattern_of(parameters.group_by)
        if parameters.groups != NONE:
            raise PipelineError("groups: does not go with group_by; set one of the two")
    return {key: _named(key, getattr(parameters, key)) for key in FILES}


def pattern_of(text: str) -> re.Pattern[str]:
    """The pattern of `group_by`.

    Raises:
        PipelineError: it is no regular expression, or has no group in parentheses.
    """
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise PipelineError(f"group_by: {text!r}: no regular expression ({error})") from None
    if not pattern.groups:
        raise PipelineError(
            f"group_by: {text!r}: nothing in parentheses; put them around what is the same in "
            "images that belong together"
        )
    return pattern


def file_of(value: str) -> Path:
    """Where a list is: in experiments/, or where an absolute path says."""
    return paths.LISTS / value


def _check_fold(parameters: Parameters) -> None:
    folds, fold = parameters.folds, parameters.fold
    if folds is None and fold:
        raise PipelineError(f"fold: {fold}: needs folds, how many there are; or set fold to 0")
    if folds is not None and fold >= folds:
        raise PipelineError(f"fold: {fold}: with folds {folds} they count from 0 to {folds - 1}")


def _named(key: str, value: str) -> str | None:
    if value == NONE:
        return None
    path = file_of(value)
    if not path.is_file():
        raise PipelineError(
            f"{key}: {value}: no such file; expected none, a file in {paths.LISTS}/ that Git "
            "tracks, or an absolute path"
        )
    # A run in a copy of the repository has what Git tracks, and no other file.
    if not Path(value).is_absolute() and tried(Path(), "rev-parse", "--git-dir") is not None:
        listed = tried(Path(), "ls-files", "--error-unmatch", "--", str(path))
        if listed is None:
            raise PipelineError(
                f"{key}: {value}: Git does not track {path}; `git add {path}`, or give an "
                "absolute path"
            )
    return value
