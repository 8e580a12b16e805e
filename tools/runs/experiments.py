"""The experiments that DVC keeps in the repository: commits under refs/exps.

An experiment's commit holds params.yaml and the small reports in Git, and the
resolved parameters, the predictions and the model in DVC's cache, or its
remote. Both are read through DVC's file system, and what it cannot read of an
old commit through Git.
"""

import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from pipeline.errors import PipelineError
from pipeline.parameters.stages import STAGES, combined
from pipeline.runtime import paths
from pipeline.runtime.git import tried
from pipeline.tracking.identity import parameter_value
from pipeline.tracking.sanitize import one_line
from tools.runs.reports import read_results
from tools.runs.run import Run

# DVC's own: what runs now, what waits, what failed.
_NOT_EXPERIMENTS = ("exec", "stash", "celery")
TRAINING = paths.TIMINGS / "train.json"


@dataclass(frozen=True)
class Experiment:
    """A DVC experiment: its name, its commit, the commit it began from, when (Unix seconds)."""

    name: str
    commit: str
    baseline: str
    time: float


def list_experiments() -> list[Experiment]:
    """All finished experiments of the repository; none outside Git."""
    # refs/exps/<2 letters>/<38 letters of the baseline>/<name>: where `dvc exp push` and
    # `dvc exp list` find them too, and read in 10 ms where those take seconds.
    form = "%(refname) %(objectname) %(creatordate:unix)"
    found = []
    listed = tried(paths.root(), "for-each-ref", f"--format={form}", "refs/exps") or ""
    for line in listed.splitlines():
        ref, commit, seconds = line.split(" ")
        parts = ref.split("/", 4)
        if len(parts) == 5 and parts[2] not in _NOT_EXPERIMENTS:
            found.append(Experiment(parts[4], commit, parts[2] + parts[3], float(seconds)))
    return found


class Files:
    """What an experiment's commit has: from DVC's cache or remote, from Git."""

    def __init__(self, experiment: Experiment) -> None:
        self.experiment = experiment
        self._problem = ""
        try:
            import dvc.api

            self._dvc: Any = dvc.api.DVCFileSystem(str(paths.root()), rev=experiment.commit)
        except Exception as error:  # DVC has its own errors for what it cannot read
            self._dvc, self._problem = None, one_line(error)

    def read(self, path: Path) -> bytes:
        """The bytes of a file.

        Raises:
            FileNotFoundError: it is nowhere; with the reason.
        """
        problem = self._problem
        if self._dvc is not None:
            try:
                with self._dvc.open(path.as_posix(), "rb") as file:
                    return bytes(file.read())
            except Exception as error:  # its own errors for what its cache lacks, too
                problem = one_line(error)
        text = tried(paths.root(), "show", f"{self.experiment.commit}:{path.as_posix()}")
        if text is None:
            raise FileNotFoundError(f"{path}: {problem}")
        return text.encode()

    def json(self, path: Path) -> Any:
        """A JSON file; None where there is none."""
        try:
            return json.loads(self.read(path))
        except (FileNotFoundError, ValueError):
            return None

    @contextmanager
    def report(self, name: str) -> Iterator[TextIO]:
        """A file in reports/, as text."""
        yield io.StringIO(self.read(paths.REPORTS / name).decode("utf-8"), newline="")


def read_experiment(experiment: Experiment) -> Run:
    """An experiment as its commit has it.

    What is nowhere (an experiment that was pulled without its data) is left
    out, and the run's `problems` say so.
    """
    files = Files(experiment)
    results = read_results(files.report)
    parameters = files.json(paths.PARAMS / "report.json")
    if parameters is None:
        results.problems.append("its resolved parameters are not in DVC's cache (`dvc pull`)")
    dataset = files.json(paths.PREPARED / "dataset.json") or {}
    return Run(
        id=experiment.commit,
        name=experiment.name,
        source="DVC",
        status="FINISHED",
        started=experiment.time,
        parameters={k: parameter_value(v) for k, v in (parameters or {}).items() if k != "code"},
        metrics=_metrics(files.json(paths.REPORTS / "metrics.json") or {}) | _timing(files),
        results=results,
        experiments=[experiment.name],
        commit=experiment.commit,
        data_digest=dataset.get("digest", ""),
        code=_code(files),
    )


def model_digest(experiment: Experiment) -> str:
    """SHA-256 (hex) of the experiment's model: the tag `model_digest` of its MLflow run.

    Raises:
        FileNotFoundError: the model is not in DVC's cache any more.
    """
    return hashlib.sha256(Files(experiment).read(paths.MODEL_FILE)).hexdigest()


def fetch(experiment: Experiment, source: Path, target: Path) -> None:
    """Copy one file of an experiment from DVC's cache, or its remote.

    Raises:
        PipelineError: it is in neither.
    """
    try:
        target.write_bytes(Files(experiment).read(source))
    except FileNotFoundError as error:
        raise PipelineError(
            f"{experiment.name}: {source} is not in DVC's cache ({one_line(error)}); "
            f"`dvc exp apply {experiment.name}` and `dvc repro` make it again"
        ) from None


def _code(files: Files) -> str:
    found = {}
    for stage in STAGES:
        own = files.json(stage.path())
        if not own or not own.get("code"):  # of before there were digests
            return ""
        found[stage.stage()] = own["code"]
    return combined(found)


def _timing(files: Files) -> dict[str, float]:
    """The training's seconds, where the experiment's commit has its own and not its baseline's."""
    own = files.json(TRAINING)
    before = tried(paths.root(), "show", f"{files.experiment.baseline}:{TRAINING.as_posix()}")
    if not own or (before and json.loads(before) == own):
        return {}
    return {"train_seconds": float(next(iter(own.values())))}


def _metrics(summary: Mapping[str, Any]) -> dict[str, float]:
    """metrics.json under the names of the MLflow record."""
    return {
        f"test_{name}": float(value)
        for name, value in summary.items()
        if isinstance(value, int | float)
    }
