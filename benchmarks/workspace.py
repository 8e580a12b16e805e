"""A clone of the commit in which the processes of a pair run, one after the other.

It has a DVC cache and an MLflow store of its own. A first `dvc repro` of one
epoch, not timed, brings data, features and what the system keeps of files in
memory to where a second experiment finds them. Before each measurement the
clone is as after that run, and nothing that DVC or a stage could take from an
earlier measurement is there.
"""

import hashlib
import json
import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks import measuring
from pipeline.errors import PipelineError, did_you_mean
from pipeline.runtime import files
from tools.experiments import processes
from tools.experiments.clone import make_clone, reset
from tools.experiments.experiment import PARAMS_FILE, resolved_parameters
from tools.experiments.repository import Repository

# Of the first run; no round has it, so that every round trains.
FIRST = {"epochs": 1, "seed": 41}
LOCK = "dvc.lock"


class Workspace:
    """The clone `folder` at `commit`; `log` gets what its processes print."""

    def __init__(self, repository: Repository, folder: Path, commit: str, log: Path) -> None:
        self.folder = folder
        self.log = log
        self._repository = repository
        self._commit = commit
        self._base = repository.base(commit)
        self._after_first = folder.with_name(f"{folder.name}.{LOCK}")
        self._ready = folder.with_name(f"{folder.name}.ready")

    def make_ready(self, where: str, overrides: Mapping[str, Any]) -> bool:
        """Bring the clone to the end of its first run; False if it was there already.

        Raises:
            PipelineError: the parameters are wrong, or the run fails.
        """
        values = self._base.changed(where, {**overrides, **FIRST})
        text = json.dumps([self._commit, values], sort_keys=True)
        key = hashlib.sha256(text.encode()).hexdigest()
        processes.end(processes.below(self.folder))  # of a benchmark that was killed
        if self._ready.exists() and self._ready.read_text() == key:
            return False
        self._ready.unlink(missing_ok=True)
        cache = self.folder / ".dvc" / "cache"
        make_clone(self._repository, self.folder, self._commit, cache)
        files.write_text(self.folder / PARAMS_FILE, self._base.written(values))
        self.run("dvc repro")
        shutil.copy(self.folder / LOCK, self._after_first)
        files.write_text(self._ready, key)
        return True

    def parameters(self, where: str, overrides: Mapping[str, Any]) -> dict[str, Any]:
        """params.yaml with these overrides, checked.

        Raises:
            PipelineError: a wrong parameter.
        """
        return self._base.changed(where, overrides)

    def reset(self, values: Mapping[str, Any]) -> None:
        """As after the first run, with these parameters in params.yaml."""
        reset(self.folder, self._commit)
        shutil.copy(self._after_first, self.folder / LOCK)
        # What a killed measurement, or one with the same parameters, has left.
        for left in (".dvc/cache/runs", ".state/resume"):
            shutil.rmtree(self.folder / left, ignore_errors=True)
        files.write_text(self.folder / PARAMS_FILE, self._base.written(values))

    def run(self, command: str) -> measuring.Measured:
        """Run `dvc …` or `python …` in the clone, measured.

        Raises:
            PipelineError: it fails: the line that says why.
        """
        program, *arguments = shlex.split(command)
        start = [sys.executable] if program == "python" else [sys.executable, "-m", program]
        return measuring.run([*start, *arguments], self.folder, self.log)

    def training_images(self) -> int:
        """How many images the training part has."""
        dataset = files.read_json(self.folder / "data" / "prepared" / "dataset.json")
        return int(sum(dataset["counts"]["train"]))

    def accuracy(self) -> float | None:
        """The test accuracy that the last `dvc repro` wrote, if it wrote one."""
        path = self.folder / "reports" / "metrics.json"
        return float(files.read_json(path)["accuracy"]) if path.exists() else None

    def remove(self) -> None:
        """Remove the clone and all that belongs to it."""
        shutil.rmtree(self.folder, ignore_errors=True)
        for path in (self._after_first, self._ready):
            path.unlink(missing_ok=True)


def with_parameters(where: str, command: str, values: Mapping[str, Any]) -> str:
    """The command with {key} as the resolved parameter, a list as words.

    Raises:
        PipelineError: there is no such parameter.
    """
    resolved = resolved_parameters(where, values)
    words = {
        key: " ".join(map(str, value)) if isinstance(value, list) else str(value)
        for key, value in resolved.items()
    }
    try:
        return command.format_map(words)
    except KeyError as error:
        raise PipelineError(
            f"{where}: {{{error.args[0]}}}: unknown parameter{did_you_mean(error.args[0], words)}"
        ) from None
