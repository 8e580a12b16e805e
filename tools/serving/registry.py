"""MLflow's registry: the best run of a data set, as a model that takes image files.

A registered model has the data set's name, and its version that is in use
carries the alias `best` (MLflow's stages are deprecated).
"""

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import PipelineError, did_you_mean
from pipeline.runtime import files, paths, source
from pipeline.tracking import identity
from pipeline.tracking.model import loading_code
from pipeline.tracking.store import Store
from tools.runs import recorded
from tools.runs.run import Run
from tools.serving import trained
from tools.serving.package import LOADER, write_classifier

ALIAS = "best"
NAME = "classifier"


@dataclass(frozen=True)
class Choice:
    """The run to register, and in words why it is the one."""

    run: Run
    reason: str


def dataset(runs: Sequence[Run]) -> str:
    """The data set that is meant where none is named: the workspace's, or the runs' only one.

    Raises:
        PipelineError: the runs have several.
    """
    known = sorted({_dataset_of(run) for run in runs if run.parameters})
    return _meant(known, "of the runs")


def registered_dataset(store: Store) -> str:
    """The same, where only what is registered counts."""
    known = sorted(model.name for model in store.client.search_registered_models())
    return _meant(known, "that are registered")


def _meant(known: list[str], which: str) -> str:
    described = paths.PREPARED / "dataset.json"
    if described.is_file():
        return registered_name(files.read_json(described)["name"])
    if len(known) == 1:
        return known[0]
    listed = f"one of those {which}: {', '.join(known)}" if known else f"a data set; none {which}"
    raise PipelineError(f"--dataset: name {listed}")


def best(name: str, runs: Sequence[Run]) -> Choice:
    """The run with the highest validation accuracy, the test images aside.

    Only runs on the very same data are compared: those of the workspace, or
    where it has another data set those of the newest run. Of equals the newest.

    Args:
        name: the data set's.
        runs: the newest first, with their histories.

    Raises:
        PipelineError: no finished run of the data set, or none with a validation part.
    """
    finished = [run for run in runs if run.status == "FINISHED" and _dataset_of(run) == name]
    if not finished:
        known = {_dataset_of(run) for run in runs if run.status == "FINISHED" and run.parameters}
        hint = did_you_mean(name, sorted(known)) if known else ""
        raise PipelineError(f"{name}: no finished run of this data set{hint}")
    described = paths.PREPARED / "dataset.json"
    here = files.read_json(described)["digest"] if described.is_file() else ""
    digests = {run.data_digest for run in finished}
    digest = here if here in digests else finished[0].data_digest
    alike = [run for run in finished if run.data_digest == digest]
    scored = [run for run in alike if run.validation_accuracy is not None]
    if not scored:
        raise PipelineError(
            f"{name}: no run has a validation part to choose the best by; name one by --run"
        )
    chosen = max(scored, key=lambda run: (run.validation_accuracy, run.started))
    reason = f"validation accuracy {chosen.validation_accuracy:.4f}, the best of {len(scored)} runs"
    others = len(finished) - len(scored)
    if others:
        reason += f"; {others} on another split or without validation not counted"
    return Choice(chosen, reason)


def registered_name(dataset_name: str) -> str:
    """The data set's name as the registry takes it."""
    return dataset_name.replace("/", "-").replace(":", "-")


def register(store: Store, run: Run, reason: str) -> tuple[Any, bool]:
    """Register a run's model under its data set's name and give it the alias `best`.

    Returns:
        The version, and whether it is new: the same model and code are
        registered once.
    """
    name = _dataset_of(run)
    logged = trained.logged_model(store, run.id)
    if logged is None:
        raise PipelineError(f"{run.name}: this run is {run.status} and has no model; name another")
    with trained.folder(logged) as folder:
        model = trained.described(folder, run.name)
        tags = {
            "model_digest": files.sha256(model.file),
            # What the registered code does; a change of it makes a new version.
            "code_digest": source.digest(loading_code(LOADER)),
            "run": run.name,
            "chosen_by": reason,
        }
        version = _known_version(store, name, run.id, tags)
        if version is not None:
            store.client.set_registered_model_alias(name, ALIAS, version.version)
            return version, False
        version = _log(store, run, name, model, tags)
    store.client.set_registered_model_alias(name, ALIAS, version.version)
    return version, True


def _dataset_of(run: Run) -> str:
    return registered_name(identity.dataset_name(run.parameters))


def _known_version(store: Store, name: str, run_id: str, tags: dict[str, str]) -> Any:
    for version in store.client.search_model_versions(f"name = '{name}'"):
        if version.run_id == run_id and all(
            version.tags.get(key) == tags[key] for key in ("model_digest", "code_digest")
        ):
            return version
    return None


def _log(store: Store, run: Run, name: str, model: trained.Trained, tags: dict[str, str]) -> Any:
    """Log the model that takes image files, and make it a version."""
    from mlflow.exceptions import MlflowException

    client = store.client
    entry = client.create_logged_model(store.experiment_id, NAME, source_run_id=run.id, tags=tags)
    with tempfile.TemporaryDirectory() as scratch:
        target = Path(scratch) / NAME
        write_classifier(target, model, entry, run.id)
        client.log_model_artifacts(entry.model_id, str(target))
    client.finalize_logged_model(entry.model_id, "READY")
    try:
        client.create_registered_model(name, description=f"Classifiers of {name}.")
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    with _as_the_process_store(client.tracking_uri):
        return client.create_model_version(
            name,
            source=f"models:/{entry.model_id}",
            run_id=run.id,
            tags=tags,
            model_id=entry.model_id,
            description=f"Run {run.name}.",
        )


@contextmanager
def _as_the_process_store(uri: str) -> Iterator[None]:
    """MLflow's registry looks a logged model up in the process's store, not in its client's."""
    import mlflow

    before = os.environ.get("MLFLOW_TRACKING_URI")
    mlflow.set_tracking_uri(uri)
    try:
        yield
    finally:  # it has set the variable too; None takes both back
        mlflow.set_tracking_uri(before)  # type: ignore[arg-type]


def read_runs(store: Store) -> list[Run]:
    """All runs with their histories, the newest first."""
    return recorded.read_runs(store, reports=("history.csv",))
