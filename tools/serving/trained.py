"""Where a trained model and the names of its classes are.

    workspace()          data/model of the current folder (tools.serving.model)
    of_run(name)         an experiment: MLflow's run with its model, else DVC's commit
    of_registry(name)    the version that carries the alias `best`

Each is a context manager: what had to be fetched goes again at its end.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import unquote, urlsplit

import yaml

from pipeline.errors import PipelineError, did_you_mean
from pipeline.evaluation.reference import beside
from pipeline.runtime import files, paths
from pipeline.tracking import store
from pipeline.tracking.sanitize import one_line
from pipeline.tracking.sqlite import StoreError
from tools.runs import experiments, recorded
from tools.runs.run import Run
from tools.serving.model import Trained as Trained
from tools.serving.model import described_by
from tools.serving.model import workspace as workspace

MODEL_FILE = paths.MODEL_FILE.name


@contextmanager
def of_run(name: str) -> Iterator[Trained]:
    """The model of an experiment, by its DVC name, its MLflow name or its run id.

    Raises:
        PipelineError: there is no such run, or it has no model.
    """
    with ExitStack() as stack:
        opened, runs, problem = None, [], ""
        try:
            opened = recorded.open_store()
            runs = recorded.read_runs(opened, reports=())
        except StoreError as error:
            problem = f"; MLflow's runs cannot be read: {error}"
        named = [run for run in runs if name in (run.id, run.name, *run.experiments)]
        for run in named:
            found = logged_model(opened, run.id) if opened else None
            if found:
                title = f"run {run.name} ({run.id[:8]})"
                yield described(stack.enter_context(folder(found)), title, run.id)
                return
        kept = experiments.list_experiments()
        for experiment in kept:
            if experiment.name == name:
                yield stack.enter_context(_of_commit(experiment))
                return
        if named:
            raise PipelineError(f"{name}: {_without_model(named[0])}")
        known = {n for run in runs for n in (run.name, *run.experiments)}
        hint = did_you_mean(name, sorted(known | {one.name for one in kept}))
        raise PipelineError(f"{name}: no such run{problem or hint}")


@contextmanager
def of_registry(name: str, alias: str) -> Iterator[Trained]:
    """The registered model that carries an alias.

    Raises:
        PipelineError: there is none.
    """
    opened = open_store()
    version = registered(opened, name, alias)
    model_id = version.source.removeprefix("models:/")
    with folder(opened.client.get_logged_model(model_id).artifact_location) as found:
        yield described(found, f"{name} version {version.version}", version.run_id)


def registered(opened: store.Store, name: str, alias: str) -> Any:
    """The version of a registered model that carries an alias.

    Raises:
        PipelineError: there is none, with the line that registers one.
    """
    from mlflow.exceptions import MlflowException

    try:
        return opened.client.get_model_version_by_alias(name, alias)
    except MlflowException:
        known = [model.name for model in opened.client.search_registered_models() if model.aliases]
        others = f" (there are: {', '.join(known)})" if known else ""
        raise PipelineError(
            f"{name}: no model of this data set is registered{others}; "
            "`python -m tools.register` registers the best run"
        ) from None


def open_store() -> store.Store:
    """The store, as a user of it is told when it cannot be had.

    Raises:
        PipelineError: see `recorded.open_store`.
    """
    try:
        return recorded.open_store()
    except StoreError as error:
        raise PipelineError(str(error)) from error


def logged_model(opened: store.Store, run_id: str) -> str | None:
    """The address of the files of the model that a run logged, complete; None without one."""
    for output in opened.client.get_run(run_id).outputs.model_outputs:
        model = opened.client.get_logged_model(output.model_id)
        if str(model.status) == "READY":
            return str(model.artifact_location)
    return None


@contextmanager
def folder(uri: str) -> Iterator[Path]:
    """The folder of a logged model by the address of its files: in place, or fetched.

    Raises:
        PipelineError: its files are gone.
    """
    with ExitStack() as stack:
        if urlsplit(uri).scheme in ("", "file"):
            found = Path(unquote(urlsplit(uri).path))
        else:
            found = _fetched(uri, stack.enter_context(TemporaryDirectory()))
        if not (found / "MLmodel").is_file():
            raise PipelineError(f"{uri}: the model's files are gone; run this experiment again")
        yield found


def _fetched(uri: str, scratch: str) -> Path:
    import mlflow.artifacts
    from mlflow.exceptions import MlflowException

    try:
        found = mlflow.artifacts.download_artifacts(
            artifact_uri=uri, dst_path=scratch, tracking_uri=store.tracking_uri()
        )
    except (MlflowException, OSError) as error:
        raise PipelineError(f"{uri}: the model cannot be fetched: {one_line(error)}") from error
    return Path(found)


def described(found: Path, title: str, run_id: str = "") -> Trained:
    """A model in MLflow's folder: the file, and the classes that MLmodel names.

    Raises:
        PipelineError: it is none of this pipeline's.
    """
    file = next(iter(sorted((found / "data").rglob(MODEL_FILE))), None)
    described = yaml.safe_load((found / "MLmodel").read_text(encoding="utf-8"))
    known = described.get("metadata") or {}
    if file is None or not known.get("classes"):
        raise PipelineError(f"{title}: its logged model has no {MODEL_FILE} with class names")
    return described_by(known, file, title, run_id)


@contextmanager
def _of_commit(experiment: experiments.Experiment) -> Iterator[Trained]:
    """The model of an experiment that DVC keeps and MLflow does not."""
    with TemporaryDirectory() as scratch:
        file, dataset = Path(scratch) / MODEL_FILE, Path(scratch) / "dataset.json"
        experiments.fetch(experiment, paths.MODEL_FILE, file)
        experiments.fetch(experiment, paths.PREPARED / "dataset.json", dataset)
        with suppress(PipelineError):  # a model without a validation part has none
            experiments.fetch(experiment, beside(paths.MODEL_FILE), beside(file))
        title = f"experiment {experiment.name} ({experiment.commit[:7]})"
        yield described_by(files.read_json(dataset), file, title)


def _without_model(run: Run) -> str:
    why = f": {run.failure}" if run.failure else ""
    return f"this run is {run.status} and has no model{why}; name another run"
