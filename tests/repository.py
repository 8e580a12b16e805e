"""A git and DVC repository of its own with the project's files, for tests of the whole pipeline."""

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pandas as pd
from filelock import FileLock

from pipeline.runtime import files
from tests import forking
from tests.support import REPOSITORY, recorded_runs, set_parameters

TINY = {"dataset": "digits", "model": "tiny_cnn", "epochs": 2, "threads": 1}
# What the finished run changes of it.
FINISHED = {"epochs": 4, "best_weights": True}
# Where MLflow's database has the absolute place of files.
MLFLOW_PLACES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
)
OUTS = (
    "dvc.lock",
    "reports/metrics.json",
    "reports/history.csv",
    "reports/predictions.csv",
    "reports/report.html",
    "data/first_batch.npz",
    "data/model/model.keras",
)


def plain_environment() -> dict[str, str]:
    """That of here without another repository's settings, with a name for Git's commits."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "DVC_"))}
    binaries = Path(sys.executable).parent
    identity = {
        f"GIT_{who}_{what}": "tests@example.org"
        for who in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    }
    return {**kept, **identity, "PATH": f"{binaries}:{os.environ['PATH']}"}


class Repository:
    """A copy of the tracked files in a git and DVC repository of its own.

    Its stages are forked (tests/forking.py); with `forked` False they are fresh interpreters.
    """

    forked = True

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=REPOSITORY, capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
        for name in filter(None, listed.split("\0")):
            source = REPOSITORY / name
            # The committed run belongs to the default parameters, not to this one.
            if source.is_file() and name != "dvc.lock" and not name.startswith("reports/"):
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, folder / name)
        shutil.copy2(REPOSITORY / "reports/.gitignore", self._made("reports") / ".gitignore")
        self.git("init", "-q")
        self.set(**TINY)
        self.commit()

    @classmethod
    def finished(cls, shared: Path, folder: Path) -> "Repository":
        """A copy in `folder` of one in which `dvc repro` has run once, with TINY and FINISHED.

        Args:
            shared: a folder of all the processes of a session; who comes first makes the run,
                and keeps what DVC printed in finished.txt.
        """
        made = shared / "finished"
        with FileLock(shared / "finished.lock"):
            if not (shared / "finished.txt").exists():
                shutil.rmtree(made, ignore_errors=True)  # of one who came first, and failed
                first = cls(made)
                first.set(**FINISHED)
                first.commit()
                output = first.dvc("repro")
                first.commit()
                (shared / "finished.txt").write_text(output, encoding="utf-8")
        shutil.copytree(made, folder, symlinks=True)
        with contextlib.closing(sqlite3.connect(folder / "mlflow.db")) as store, store:
            for table, column in MLFLOW_PLACES:
                where = f"{column} = replace({column}, ?, ?)"
                store.execute(f"UPDATE {table} SET {where}", (str(made), str(folder)))
        copy = cls.__new__(cls)
        copy.folder = folder
        return copy

    def _made(self, name: str) -> Path:
        (self.folder / name).mkdir(exist_ok=True)
        return self.folder / name

    def set(self, **changes: object) -> None:
        before = Path.cwd()
        os.chdir(self.folder)
        try:
            set_parameters(**changes)
        finally:
            os.chdir(before)

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=self.folder, capture_output=True, text=True, env=self.environment(),
            timeout=1500,
        )  # fmt: skip

    def environment(self) -> dict[str, str]:
        kept = plain_environment()
        if self.forked:
            kept["PATH"] = f"{forking.template('tensorflow').stand_in}:{kept['PATH']}"
        return kept

    def git(self, *arguments: str) -> str:
        result = self.run("git", *arguments)
        assert result.returncode == 0, result.stderr
        return result.stdout

    def commit(self) -> None:
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "as it stands")

    def dvc(self, *arguments: str) -> str:
        result = self.run("dvc", *arguments)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout + result.stderr

    def bytes(self) -> dict[str, str]:
        return {name: files.sha256(self.folder / name) for name in OUTS}

    def runs(self) -> pd.DataFrame:
        return recorded_runs(self.folder)
