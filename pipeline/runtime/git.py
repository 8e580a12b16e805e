"""Git as a process, the same for the record and for the tools."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from pipeline.errors import PipelineError

# What binds Git to another repository (in a hook, say).
BOUND = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX")
QUESTION_SECONDS = 60


def git(folder: Path, *arguments: str) -> str:
    """What `git` prints in `folder`.

    Raises:
        PipelineError: Git is not there, or it fails: its last line.
    """
    try:
        done = _run(folder, arguments, None)
    except FileNotFoundError:
        raise PipelineError("git is not installed; install Git") from None
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise PipelineError(f"git {arguments[0]}: {last}")
    return done.stdout


def tried(folder: Path, *arguments: str) -> str | None:
    """What `git` prints in `folder`; None if it fails, is not there, or takes a minute."""
    try:
        done = _run(folder, arguments, QUESTION_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return None if done.returncode else done.stdout


def environment() -> dict[str, str]:
    """The environment without what binds Git to another repository."""
    kept = {key: value for key, value in os.environ.items() if key not in BOUND}
    # No optional locks: DVC and editors work in the same repository.
    return kept | {"GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C.UTF-8"}


def _run(
    folder: Path, arguments: Sequence[str], seconds: float | None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["git", *arguments],
        cwd=folder,
        capture_output=True,
        env=environment(),
        encoding="utf-8",
        errors="replace",
        timeout=seconds,
        check=False,
    )
