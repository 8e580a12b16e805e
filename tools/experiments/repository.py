"""What is read from Git: the commit that is run, its experiments, and files in them."""

import threading
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.runtime import source
from pipeline.runtime.git import git, tried
from tools.experiments.experiment import PARAMS_FILE, Base
from tools.runs.experiments import Experiment as Kept
from tools.runs.experiments import list_experiments

# What decides an experiment beside its overrides: the code, and what DVC reads.
DECISIVE = (*source.CODE, "dvc.yaml", "params.yaml", ".dvc/config")


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
            git(self.root, "--version")  # says so where there is no Git at all
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

    def base(self, revision: str) -> Base:
        """The params.yaml of a commit."""
        return Base(self.file(revision, PARAMS_FILE) or "{}")

    def experiments(self, commit: str) -> dict[str, Kept]:
        """The DVC experiments that began at `commit`, by their names."""
        return {each.name: each for each in list_experiments() if each.baseline == commit}

    def bundle(self, path: Path, commit: str, name: str = "") -> None:
        """Write the experiment `name` of `commit` as a Git bundle; without a name what is checked
        out, with its history."""
        what = [f"{_folder(commit)}/{name}", f"^{commit}"] if name else ["HEAD"]
        git(self.root, "bundle", "create", "--quiet", str(path), *what)

    def collect(self, clone: Path, commit: str) -> None:
        """Take over the experiments that a clone, or a bundle, has of `commit`."""
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


def _folder(commit: str) -> str:
    """Where DVC keeps the experiments that began at `commit`."""
    return f"refs/exps/{commit[:2]}/{commit[2:]}"
