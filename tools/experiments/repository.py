"""What is read from Git: the commit that is run, its experiments, and files in them."""

import os
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.runtime import source

# What decides an experiment beside its overrides: the code, and what DVC reads.
DECISIVE = (*source.CODE, "dvc.yaml", "params.yaml", ".dvc/config")
EXPERIMENTS = "refs/exps"


class Repository:
    """The Git repository at `root`, which nothing here changes but for new experiments."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self._fetching = threading.Lock()

    def commit(self) -> str:
        """The commit that is checked out.

        Raises:
            PipelineError: not a repository, or none is committed.
        """
        found = tried(self.root, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
        if not found:
            raise PipelineError(f"{self.root}: no Git commit to run; clone the project, or commit")
        return found.strip()

    def uncommitted(self, *more: str) -> list[str]:
        """The files of the code and params.yaml, and below `more`, that differ from the commit,
        or are new."""
        options = ("--porcelain", "-z", "--no-renames")
        listed = git(self.root, "status", *options, "--", *DECISIVE, *more)
        return [entry[3:] for entry in listed.split("\0") if entry]

    def file(self, revision: str, path: str) -> str | None:
        """A text file as it is in a commit; None if it is not in it."""
        return tried(self.root, "show", f"{revision}:{path}")

    def experiments(self, commit: str) -> dict[str, str]:
        """The DVC experiments that began at `commit`: name to commit."""
        folder = _folder(commit)
        listed = git(self.root, "for-each-ref", "--format=%(objectname) %(refname)", f"{folder}/")
        pairs = (line.split(" ", 1) for line in listed.splitlines())
        return {name.removeprefix(f"{folder}/"): revision for revision, name in pairs}

    def collect(self, clone: Path, commit: str) -> None:
        """Take over the experiments that a clone has made from `commit`."""
        folder = _folder(commit)
        with self._fetching:
            git(
                self.root,
                "fetch",
                "--quiet",
                "--no-tags",
                "--no-write-fetch-head",
                "--no-auto-maintenance",
                str(clone),
                f"+{folder}/*:{folder}/*",
            )


def git(folder: Path, *arguments: str) -> str:
    """What `git` prints in `folder`.

    Raises:
        PipelineError: Git is not there, or it fails: its last line.
    """
    done = _run(folder, arguments)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise PipelineError(f"git {arguments[0]}: {last}")
    return done.stdout


def tried(folder: Path, *arguments: str) -> str | None:
    """What `git` prints in `folder`; None if it fails."""
    done = _run(folder, arguments)
    return None if done.returncode else done.stdout


def _run(folder: Path, arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            ["git", *arguments],
            cwd=folder,
            capture_output=True,
            env=environment(),
            encoding="utf-8",
            check=False,
        )
    except FileNotFoundError:
        raise PipelineError("git: not found; install Git") from None


def environment() -> dict[str, str]:
    """The environment without what binds Git to another repository (in a hook, say)."""
    bound = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX")
    kept = {key: value for key, value in os.environ.items() if key not in bound}
    # No optional locks: DVC and editors work in the same repository.
    return kept | {"GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C.UTF-8"}


def _folder(commit: str) -> str:
    return f"{EXPERIMENTS}/{commit[:2]}/{commit[2:]}"
