"""Beginning a run, going on with one, and marking those whose process failed or died."""

import contextlib
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pipeline.parameters.stages import ReportParameters
from pipeline.runtime import files, paths
from pipeline.runtime.stage import say
from pipeline.tracking import identity
from pipeline.tracking.record import Record
from pipeline.tracking.sanitize import one_line, tag_value, without_credentials
from pipeline.tracking.store import Store, open_store

# The stages that stand before the model: a failure there belongs to no older run.
BEFORE_MODEL = ("params", "download", "weights", "prepare", "features", "twins", "train")

_current: Record | None = None  # the run that this process works or worked on


def start_run(
    parameters: Mapping[str, Any], tags: Mapping[str, str], resume: str | None = None
) -> Record:
    """Begin the run that a training is recorded in.

    Args:
        parameters: all resolved parameters under params.yaml's names.
        tags: what else describes the run: data_digest, the environment.
        resume: the id of the run that a killed training began; it is RUNNING
            again. If it is gone, a line says so and a new run begins.
    """
    return _open(lambda store: _start(store, parameters, tags, resume))


def attach_run(model_digest: str) -> Record:
    """Go on with the newest run that trained this model (see `model_digest`).

    One of the same DVC experiment goes first. The run is RUNNING while the
    stage works. Without such a run a line says so, and nothing is recorded.
    """
    record = _open(lambda store: _attach(store, model_digest))
    if record.run_id is None and open_store() is not None:
        say("mlflow", "no run here trained this model; not recorded (`dvc repro -f` trains anew)")
    return record


def model_digest(path: Path = paths.MODEL_FILE) -> str:
    """The value of the tag `model_digest`: SHA-256 (hex) of the saved model."""
    return files.sha256(path)


def record_failure(stage: str, message: str) -> None:
    """Mark this process's run FAILED; where there is none, record a run that failed.

    Never raises, not even when Ctrl-C comes a second time.
    """
    with contextlib.suppress(BaseException):
        record = _current or Record(None, None)
        if record.run_id is None and stage not in BEFORE_MODEL and paths.MODEL_FILE.exists():
            record = _open(lambda store: _attach(store, model_digest()))
        if record.run_id is None:
            record = _open(lambda store: _start(store, _resolved_parameters(), {}, None))
        record.fail(message, failed_stage=stage)


def known_scores(model: str, data: str) -> dict[str, float]:
    """The test figures of the newest run that trained the same bytes on the same data.

    A model that comes out as an older one did is not evaluated again, for DVC
    finds the evaluation's inputs unchanged: its run would stay without figures.

    Args:
        model: the tag `model_digest`.
        data: the tag `data_digest`.
    """
    store = open_store()
    if store is None:
        return {}
    with contextlib.suppress(Exception):  # a store that fails now has said so
        found = store.client.search_runs(
            [store.experiment_id],
            f"tags.model_digest = '{model}' and tags.data_digest = '{data}'",
            order_by=["attributes.start_time DESC"],
        )
        for run in found:
            scores = {k: v for k, v in run.data.metrics.items() if k.startswith("test_")}
            if scores:
                return scores
    return {}


def mark_dead_runs() -> list[str]:
    """Mark the RUNNING runs of this machine's dead processes FAILED; returns their ids."""
    store = open_store()
    return [] if store is None else _mark_dead_runs(store)


def _open(begin: Callable[[Store], Record]) -> Record:
    global _current
    told = _current is not None and _current.told
    _current = Record(None, None)
    store = open_store()
    if store is not None:
        try:
            _mark_dead_runs(store)
            _current = begin(store)
        except Exception as error:
            if not told:
                say("mlflow", f"this run is not recorded: {one_line(error)}")
            _current.told = True
    return _current


def _start(
    store: Store, parameters: Mapping[str, Any], tags: Mapping[str, str], resume: str | None
) -> Record:
    if resume:
        run = _find(store, resume)
        if run is not None:
            return _resume(store, run, parameters, tags)
        say("mlflow", f"the run {resume} is gone from the store; recording a new one")
    described = {**identity.origin_tags(), **tags, **identity.process_tags()}
    if parameters:
        described["parameters_digest"] = identity.parameters_digest(parameters)
    run = store.client.create_run(
        store.experiment_id,
        start_time=int(time.time() * 1000),
        tags={key: tag_value(value) for key, value in described.items()},
        run_name=identity.run_name(parameters),
    )
    record = Record(store, run.info.run_id)
    _log_parameters(store, run.info.run_id, _spelled(parameters))
    _log_dataset(store, run.info.run_id, parameters, tags)
    return record


def _resume(
    store: Store, run: Any, parameters: Mapping[str, Any], tags: Mapping[str, str]
) -> Record:
    spelled, known = _spelled(parameters), run.data.params
    times = int(run.data.tags.get("resumed", "0")) + 1
    extra = {**tags, "resumed": str(times)}
    # MLflow's parameters cannot change; those of other stages may have, since.
    if changed := {key: v for key, v in spelled.items() if known.get(key, v) != v}:
        extra["changed_parameters"] = identity.parameter_value(changed)
    record = _take_over(store, run, extra)
    _log_parameters(
        store, run.info.run_id, {key: v for key, v in spelled.items() if key not in known}
    )
    return record


def _attach(store: Store, digest: str) -> Record:
    found = store.client.search_runs(
        [store.experiment_id],
        f"tags.model_digest = '{digest}'",
        order_by=["attributes.start_time DESC"],
    )
    if not found:
        return Record(None, None)
    name = os.environ.get("DVC_EXP_NAME")
    own = [run for run in found if run.data.tags.get("dvc_experiment") == name]
    return _take_over(store, (own or found)[0], {})


def _take_over(store: Store, run: Any, tags: Mapping[str, str]) -> Record:
    """Make an older run the one that this process works on."""
    from mlflow.entities import RunTag

    run_id = run.info.run_id
    now = {**tags, **identity.process_tags()}
    store.client.log_batch(run_id, tags=[RunTag(key, tag_value(v)) for key, v in now.items()])
    store.client.update_run(run_id, status="RUNNING")
    for key in ("failure", "failed_stage"):
        if key in run.data.tags:
            store.client.delete_tag(run_id, key)
    start = run.info.start_time / 1000
    return Record(store, run_id, start=start, worked=_last_sign(store, run) / 1000 - start)


def _mark_dead_runs(store: Store) -> list[str]:
    mine = identity.process_tags()["host"]
    running = store.client.search_runs(
        [store.experiment_id], f"attributes.status = 'RUNNING' and tags.host = '{mine}'"
    )
    dead = [run for run in running if identity.is_dead(run.data.tags)]
    for run in dead:
        pid = run.data.tags.get("pid", "")
        reason = f"process {pid} on {mine} died without a word (killed, or the machine stopped)"
        store.client.set_tag(run.info.run_id, "failure", reason)
        store.client.set_terminated(run.info.run_id, "FAILED", end_time=_last_sign(store, run))
    return [run.info.run_id for run in dead]


def _last_sign(store: Store, run: Any) -> int:
    """When the run last showed life (ms, Unix): its end, its last figure, or its start."""
    times = [run.info.start_time, run.info.end_time or 0]
    for name in run.data.metrics:
        times += [
            point.timestamp for point in store.client.get_metric_history(run.info.run_id, name)
        ]
    return max(times)


def _find(store: Store, run_id: str) -> Any:
    from mlflow.exceptions import MlflowException

    try:
        run = store.client.get_run(run_id)
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise
    return run if run.info.lifecycle_stage == "active" else None


def _log_parameters(store: Store, run_id: str, spelled: Mapping[str, str]) -> None:
    from mlflow.entities import Param

    if spelled:
        store.client.log_batch(run_id, params=[Param(key, v) for key, v in spelled.items()])


def _log_dataset(
    store: Store, run_id: str, parameters: Mapping[str, Any], tags: Mapping[str, str]
) -> None:
    """What MLflow shows in its column Dataset: the name and the digest of the data."""
    from mlflow.entities import Dataset, DatasetInput

    digest = tags.get("data_digest", "").removeprefix("sha256:")[:16]
    if digest and "dataset" in parameters:
        name = identity.dataset_name(parameters)
        dataset = Dataset(name, digest, source_type="local", source="data/prepared")
        store.client.log_inputs(run_id, datasets=[DatasetInput(dataset)])


def _spelled(parameters: Mapping[str, Any]) -> dict[str, str]:
    return {
        key: without_credentials(identity.parameter_value(value))
        for key, value in parameters.items()
    }


def _resolved_parameters() -> dict[str, Any]:
    with contextlib.suppress(OSError, ValueError):
        return dict(ReportParameters.read().resolved)
    return {}
