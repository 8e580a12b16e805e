"""Running one experiment after the other in a clone of the repository.

Not `dvc exp run --temp`: that takes the folder's files away for a moment (a
stash) each time one starts, runs whatever the files are by then, and two that
start together disturb each other. A clone holds one commit, whoever edits
meanwhile. In it `dvc repro` runs with the environment that `dvc exp run` would
give it, and `dvc exp save` makes the experiment, which Git brings home. DVC's
cache, its run cache, the resume files and MLflow's store are the repository's.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from pipeline.runtime import files, paths
from pipeline.runtime.git import environment
from tools.experiments import processes
from tools.experiments.clone import make_clone, reset, untracked
from tools.experiments.engine import End, Ended, Watcher, read_history
from tools.experiments.experiment import PARAMS_FILE, Experiment
from tools.experiments.pruned import forget_resume_files
from tools.experiments.repository import Repository

POLL_SECONDS = 0.3
HISTORY = paths.REPORTS / "history.csv"


class Worker:
    """Runs experiments of one commit in `folder`, a clone; ends what still runs there."""

    def __init__(self, repository: Repository, folder: Path, commit: str, cache: Path) -> None:
        self.repository = repository
        self.folder = folder
        self.commit = commit
        processes.end(processes.below(folder))
        make_clone(repository, folder, commit, cache)
        repository.collect(folder, commit)

    def run(
        self,
        experiment: Experiment,
        params: str,
        log: Path,
        watch: Watcher,
        pull: bool = False,
    ) -> Ended:
        """Run the pipeline and keep the result as a DVC experiment.

        Args:
            params: the text of params.yaml.
            log: what the run prints is added to this file.
            watch: ends the run if it wants to.
            pull: take from DVC's remote what it has.
        """
        start = time.monotonic()
        reset(self.folder, self.commit)
        files.write_text(self.folder / PARAMS_FILE, params)
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8") as output:
            print(f"# {experiment.name}, commit {self.commit[:10]}", file=output)
        as_run = {
            "DVC_ROOT": str(self.repository.root),
            "DVC_EXP_NAME": experiment.name,
            "DVC_EXP_BASELINE_REV": self.commit,
        }
        failure = self.dvc(["repro", *["--pull"] * pull], log, watch, as_run)
        if failure is None:
            save = ["exp", "save", "--force", "--name", experiment.name]
            for path in untracked(self.folder, "reports"):
                save += ["--include-untracked", path]
            failure = self.dvc(save, log, watch, {})
        if failure is None:
            self.repository.collect(self.folder, self.commit)
        return Ended(failure, time.monotonic() - start)

    def dvc(
        self, arguments: list[str], log: Path, watch: Watcher, variables: dict[str, str]
    ) -> str | None:
        """Run dvc in the clone; None after success, else why not."""
        here = environment()
        here["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), here.get("PATH", "")])
        began = log.stat().st_size
        with log.open("ab") as output:
            # A session of its own: Ctrl-C ends it from here, with its stages.
            process = subprocess.Popen(
                [sys.executable, "-m", "dvc", *arguments],
                cwd=self.folder,
                env={**here, "DVC_NO_ANALYTICS": "true", **variables},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        end: End | None = None
        try:
            while end is None and process.poll() is None:
                time.sleep(POLL_SECONDS)
                end = watch(read_history(self.folder / HISTORY))
            if end and end.for_good:
                forget_resume_files(self.folder)
        finally:
            if process.poll() is None:
                processes.end(processes.family(process.pid))
                process.wait()
        if end is not None:
            return end.reason
        if process.returncode == 0:
            return None
        return _last_words(log, began)


def _last_words(log: Path, began: int) -> str:
    with log.open("rb") as file:
        file.seek(began)
        return why(file.read().decode("utf-8", "replace").splitlines())


def why(printed: Iterable[str]) -> str:
    """The line that says why a run failed: the stage's own, where DVC's stands below it."""
    lines = [line.strip() for line in printed if line.strip()]
    own = [line for line in lines if not line.startswith(("ERROR:", "Running stage", "> "))]
    return (own or lines or ["no message"])[-1]
