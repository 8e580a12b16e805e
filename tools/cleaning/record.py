"""MLflow's store: the files of runs that a person has deleted, and runs that failed.

A run with a registered model stays, one that is pruned or finished too, and one
that a training will go on with. Not `mlflow gc`, which removes deleted
experiments of others as well: a run is deleted as in MLflow's pages, and what
costs room, its files, goes. An empty folder stays, which `mlflow gc` wants.
"""

import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from pipeline.errors import PipelineError
from pipeline.runtime.stage import say
from pipeline.tracking import store
from pipeline.tracking.sqlite import StoreError
from tools.cleaning.state import runs_to_resume
from tools.cleaning.waste import Waste, size
from tools.runs import recorded


def unused() -> list[Waste]:
    """What can go of the store here; of a server's nothing, it is others' too.

    Raises:
        PipelineError: a run goes on at this moment.
    """
    if store.is_server(store.tracking_uri()):
        say("gc", "MLflow's runs are a server's; they stay")
        return []
    try:
        opened = recorded.open_store()
    except StoreError as error:
        say("gc", f"MLflow's runs stay: {error}")
        return []
    client, experiment = opened.client, [opened.experiment_id]
    active = _all(partial(client.search_runs, experiment))
    for run in active:
        if run.info.status == "RUNNING":
            raise PipelineError(
                f"run {run.info.run_name} goes on; wait for it (`dvc repro` marks a dead one)"
            )
    deleted = _all(partial(client.search_runs, experiment, run_view_type=_deleted()))
    models = _all(partial(client.search_logged_models, experiment))
    kept = {version.run_id for version in _all(client.search_model_versions)} | runs_to_resume()
    trained = {model.source_run_id for model in models}
    failed = [
        run
        for run in active
        if run.info.status == "FAILED" and run.info.run_id not in kept | trained
    ]
    gone = {run.info.run_id: run for run in deleted if run.info.run_id not in kept}
    left = [
        *(_folder(run.info.artifact_uri) for run in gone.values()),
        *(_folder(each.artifact_location) for each in models if each.source_run_id in gone),
        *_folders_of_no_model(opened, models),
    ]
    left = [folder for folder in left if folder.is_dir() and any(folder.iterdir())]
    files_of_failed = [_folder(run.info.artifact_uri) for run in failed]

    def remove_failed() -> None:
        for run in failed:
            client.delete_run(run.info.run_id)
        _empty(files_of_failed)

    return [
        Waste(
            "MLflow runs that failed and left no model",
            len(failed),
            size(files_of_failed),
            remove_failed,
        ),
        Waste(
            "folders of runs and models that are deleted in MLflow",
            len(left),
            size(left),
            partial(_empty, left),
        ),
    ]


def _all(search: Callable[..., Any]) -> list[Any]:
    """What a search finds, page by page."""
    found, token = [], None
    while True:
        page = search(page_token=token)
        found += page
        token = page.token
        if not token:
            return found


def _deleted() -> Any:
    from mlflow.entities import ViewType

    return ViewType.DELETED_ONLY


def _folders_of_no_model(opened: store.Store, models: Sequence[Any]) -> list[Path]:
    """The folders of models that are deleted, as a process that was killed leaves them."""
    known = {_folder(model.artifact_location) for model in models}
    below = store.artifacts_folder() / opened.experiment_id / "models"
    return [path for path in below.glob("*/artifacts") if path not in known]


def _empty(folders: Sequence[Path]) -> None:
    for folder in folders:
        for path in folder.glob("*"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _folder(uri: str) -> Path:
    return Path(unquote(urlsplit(uri).path))
