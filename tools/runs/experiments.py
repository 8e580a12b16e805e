"""The experiments that DVC keeps in the repository: commits under refs/exps.

An experiment's commit holds params.yaml, history.csv, confusion.csv and
metrics.json in Git, and the resolved parameters and the predictions in DVC's
cache, so one whose MLflow run is gone, or was never here, is shown as well.
"""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import Any, TextIO

from pipeline.errors import PipelineError
from pipeline.runtime import paths
from pipeline.tracking.identity import parameter_value
from pipeline.tracking.sanitize import one_line
from tools.runs.reports import read_results
from tools.runs.run import Run

# DVC's own: what runs now, what waits, what failed.
_NOT_EXPERIMENTS = ("exec", "stash", "celery")


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
    for line in _git("for-each-ref", f"--format={form}", "refs/exps").splitlines():
        ref, commit, seconds = line.split(" ")
        parts = ref.split("/", 4)
        if len(parts) == 5 and parts[2] not in _NOT_EXPERIMENTS:
            found.append(Experiment(parts[4], commit, parts[2] + parts[3], float(seconds)))
    return found


def read_experiment(experiment: Experiment) -> Run:
    """An experiment as its commit and DVC's cache have it.

    What is in neither (an experiment that was pulled without its data) is left
    out, and the run's `problems` say so.
    """
    import dvc.api

    files = dvc.api.DVCFileSystem(str(paths.root()), rev=experiment.commit)

    @contextmanager
    def opener(name: str) -> Iterator[TextIO]:
        with _open(files, f"reports/{name}") as file:
            yield file

    results = read_results(opener)
    parameters = _json(files, "data/params/report.json")
    if parameters is None:
        results.problems.append("its resolved parameters are not in DVC's cache (`dvc pull`)")
    dataset = _json(files, "data/prepared/dataset.json") or {}
    return Run(
        id=experiment.commit,
        name=experiment.name,
        source="DVC",
        status="FINISHED",
        started=experiment.time,
        parameters={k: parameter_value(v) for k, v in (parameters or {}).items() if k != "code"},
        metrics=_metrics(_json(files, "reports/metrics.json") or {}),
        results=results,
        experiments=[experiment.name],
        commit=experiment.commit,
        data_digest=dataset.get("digest", ""),
    )


def fetch(experiment: Experiment, source: Path, target: Path) -> None:
    """Copy one file of an experiment from DVC's cache, or its remote.

    Raises:
        PipelineError: it is in neither.
    """
    import dvc.api

    files = dvc.api.DVCFileSystem(str(paths.root()), rev=experiment.commit)
    try:
        files.get_file(source.as_posix(), str(target))
    except Exception as error:  # DVC has its own errors for what its cache lacks
        raise PipelineError(
            f"{experiment.name}: {source} is not in DVC's cache ({one_line(error)}); "
            f"`dvc exp apply {experiment.name}` and `dvc repro` make it again"
        ) from None


def _metrics(summary: Mapping[str, Any]) -> dict[str, float]:
    """metrics.json under the names of the MLflow record."""
    return {
        f"test_{name}": float(value)
        for name, value in summary.items()
        if isinstance(value, int | float)
    }


@contextmanager
def _open(files: Any, name: str) -> Iterator[TextIO]:
    try:
        binary = files.open(name, "rb")
    except Exception as error:  # DVC has its own errors for what its cache lacks
        raise FileNotFoundError(f"{name}: {one_line(error)}") from error
    with TextIOWrapper(binary, encoding="utf-8", newline="") as file:
        yield file


def _json(files: Any, name: str) -> Any:
    try:
        with _open(files, name) as file:
            return json.load(file)
    except (FileNotFoundError, ValueError):
        return None


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(paths.root()), *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            env=os.environ | {"GIT_OPTIONAL_LOCKS": "0"},
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""
