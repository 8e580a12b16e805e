"""A clone of the repository at one commit, in which an experiment can run."""

import shutil
import subprocess
import sys
from pathlib import Path

from configobj import ConfigObj  # comes with DVC, which writes its settings with it

from pipeline.errors import PipelineError
from pipeline.runtime.git import environment, git, tried
from tools.experiments.repository import Repository

# What a run writes and Git holds: the commit's own must not pass for the run's.
WRITTEN = ("reports/history.csv", "reports/timings/train.json")


def make_clone(repository: Repository, folder: Path, commit: str, cache: Path) -> None:
    """Make `folder` a clone of the repository at `commit`; an older one there is used again.

    `cache` is the repository's DVC cache, which the clone shares.
    """
    root = str(repository.root)
    if not _is_clone(folder):
        partial = folder.with_name(f".{folder.name}.partial")
        for old in (folder, partial):
            shutil.rmtree(old, ignore_errors=True)
        partial.parent.mkdir(parents=True, exist_ok=True)
        git(partial.parent, "clone", "--quiet", "--no-checkout", root, partial.name)
        partial.rename(folder)
    git(folder, "fetch", "--quiet", "--no-tags", root, "HEAD")
    for key in ("user.name", "user.email"):
        if value := tried(repository.root, "config", "--get", key):
            git(folder, "config", key, value.strip())
    reset(folder, commit)
    # DVC's own settings of this machine (a remote's password, say), and its cache.
    settings = ConfigObj(str(repository.root / ".dvc" / "config.local"), encoding="utf-8")
    settings.setdefault("cache", {})["dir"] = str(cache)
    settings.filename = str(folder / ".dvc" / "config.local")
    settings.write()


def reset(folder: Path, commit: str) -> None:
    """The commit's files, and nothing that another run has left but DVC's outs."""
    # Locks of a git or a dvc that was killed; nobody else works here.
    for lock in (".git/index.lock", ".dvc/tmp/lock", ".dvc/tmp/rwlock", ".dvc/tmp/rwlock.lock"):
        (folder / lock).unlink(missing_ok=True)
    git(folder, "checkout", "--quiet", "--force", "--detach", commit)
    git(folder, "clean", "-ffdq")
    for path in WRITTEN:
        (folder / path).unlink(missing_ok=True)


def untracked(folder: Path, path: str) -> list[str]:
    """The files below `path` that Git neither knows nor ignores: a run's, after `reset`."""
    found = git(folder, "ls-files", "-z", "--others", "--exclude-standard", "--", path)
    return [name for name in found.split("\0") if name]


def cache_folder(root: Path) -> Path:
    """Where DVC keeps the repository's data.

    Raises:
        PipelineError: DVC cannot say: its last line.
    """
    return Path(dvc(root, "cache", "dir").stdout.strip()).resolve()


def dvc(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `dvc` in the repository at `root`, for what it prints.

    Raises:
        PipelineError: it fails: its last line.
    """
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *arguments],
        cwd=root,
        env=environment() | {"DVC_NO_ANALYTICS": "true"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise PipelineError(f"dvc {arguments[0]}: {last}")
    return done


def _is_clone(folder: Path) -> bool:
    top = tried(folder, "rev-parse", "--show-toplevel") if folder.is_dir() else None
    return top is not None and Path(top.strip()) == folder.resolve()
