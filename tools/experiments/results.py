"""What came out of an experiment, read from its commit, DVC's cache and MLflow's store."""

import csv
import io
import json
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from pipeline.errors import PipelineError
from pipeline.parameters.stages import STAGES, combined
from pipeline.runtime import files
from pipeline.runtime.stage import say
from tools.experiments.clone import TIMING
from tools.experiments.repository import Repository

HISTORY = "reports/history.csv"
MODEL_OUT = "data/model"


@dataclass(frozen=True)
class Result:
    """One finished experiment. `accuracy` and `loss` are of the test images,
    `history` a row an epoch, `seconds` the training's, None where nobody kept them,
    `code` the digest of the code that decided them."""

    name: str
    revision: str
    accuracy: float
    loss: float
    history: list[dict[str, str]]
    seconds: float | None
    code: str = ""


def read_result(repository: Repository, name: str, revision: str, cache: Path) -> Result:
    """Read the result of an experiment's commit.

    Raises:
        PipelineError: the commit has no metrics.
    """
    metrics = json.loads(report(repository, revision, "reports/metrics.json", cache) or "{}")
    if "accuracy" not in metrics:
        raise PipelineError(f"{name}: its reports/metrics.json is gone, or has no accuracy")
    history = report(repository, revision, HISTORY, cache) or ""
    seconds = train_seconds(model_digest(repository, revision, cache))
    if seconds is None and (timing := repository.file(revision, TIMING)):
        seconds = float(next(iter(json.loads(timing).values())))
    return Result(
        name,
        revision,
        float(metrics["accuracy"]),
        float(metrics.get("loss", math.nan)),
        list(csv.DictReader(io.StringIO(history))),
        seconds,
        _code(repository, revision, cache),
    )


def _code(repository: Repository, revision: str, cache: Path) -> str:
    found = {}
    for stage in STAGES:
        text = report(repository, revision, stage.path().as_posix(), cache)
        if text is None:
            return ""
        found[stage.stage()] = json.loads(text).get("code", "")
    return combined(found)


def report(repository: Repository, revision: str, path: str, cache: Path) -> str | None:
    """A file that an experiment wrote: from Git, or from DVC's cache where Git has it not."""
    text = repository.file(revision, path)
    if text is not None:
        return text
    try:
        return _cached(cache, _outs(repository, revision)[path]).read_text(encoding="utf-8")
    except (OSError, KeyError):
        return None


def model_digest(repository: Repository, revision: str, cache: Path) -> str | None:
    """SHA-256 (hex) of the experiment's model: the tag `model_digest` of its MLflow run.

    None where DVC's cache does not hold the model any more.
    """
    try:
        outs = _outs(repository, revision)
        listed: list[dict[str, Any]] = files.read_json(_cached(cache, outs[MODEL_OUT]))
        model = next(file for file in listed if file["relpath"] == "model.keras")
        return files.sha256(_cached(cache, model["md5"]))
    except (OSError, ValueError, KeyError, StopIteration):
        return None


def _outs(repository: Repository, revision: str) -> dict[str, str]:
    """The outs of a commit's dvc.lock: path to MD5."""
    lock = YAML(typ="safe", pure=True).load(repository.file(revision, "dvc.lock") or "{}")
    stages = lock.get("stages", {}).values()
    return {out["path"]: out["md5"] for stage in stages for out in stage.get("outs", [])}


def train_seconds(digest: str | None) -> float | None:
    """The seconds of all epochs of the training, resumed ones too, as MLflow has them."""
    if digest is None:
        return None
    from pipeline.tracking.store import open_store

    store = open_store()
    if store is None:
        return None
    try:
        found = store.client.search_runs(
            [store.experiment_id],
            f"tags.model_digest = '{digest}'",
            order_by=["attributes.start_time DESC"],
        )
    except Exception as error:  # a store that breaks must not hide the results
        say("mlflow", f"no training times: {type(error).__name__}")
        return None
    kept = [run.data.metrics for run in found if "train_seconds" in run.data.metrics]
    return float(kept[0]["train_seconds"]) if kept else None


def mean_and_spread(values: Sequence[float]) -> tuple[float, float | None]:
    """The mean, and the sample's standard deviation (n − 1), None of a single value."""
    return statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None


def _cached(cache: Path, md5: str) -> Path:
    return cache / "files" / "md5" / md5[:2] / md5[2:]
