"""The runs in MLflow's store, with their artifacts."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TextIO
from urllib.parse import unquote, urlsplit

from tqdm import tqdm

from pipeline.tracking import store
from pipeline.tracking.sanitize import without_credentials
from pipeline.tracking.sqlite import StoreError
from tools.runs.reports import REPORTS, read_results
from tools.runs.run import Run

PAGE = 500  # runs a request
# What is recorded each epoch. The rest are figures of the whole run.
EPOCHS = ("accuracy", "loss", "learning_rate", "val_accuracy", "val_loss")
# So few runs are read before a progress bar would be seen.
SILENT = 20


def open_store() -> store.Store:
    """The store, if there is one: unlike a training this makes none.

    Raises:
        StoreError: one line: there is none yet, it cannot be used, or it was
            written by another version of MLflow.
    """
    uri = store.tracking_uri()
    path = uri.removeprefix("sqlite:///").partition("?")[0]
    if uri.startswith("sqlite:///") and not path.startswith("file:") and not Path(path).exists():
        raise StoreError(
            f"{without_credentials(uri)}: there is no run yet; `make repro` makes the first"
        )
    return store.connect()


def read_runs(opened: store.Store, reports: Collection[str] = REPORTS) -> list[Run]:
    """All runs that are not deleted, the newest first, with these of their reports."""
    found: list[Any] = []
    token = None
    while True:
        page = opened.client.search_runs(
            [opened.experiment_id],
            max_results=PAGE,
            order_by=["attributes.start_time DESC"],
            page_token=token,
        )
        found.extend(page)
        token = page.token
        if not token:
            break
    quiet = len(found) < SILENT or None
    bar = tqdm(found, "compare", unit=" runs", disable=quiet)
    return [_read(run, opened.client, reports) for run in bar]


def figures_of_model(opened: store.Store, digest: str) -> dict[str, float]:
    """The figures of the newest finished run that trained this model (its SHA-256, hex)."""
    found = opened.client.search_runs(
        [opened.experiment_id],
        f"tags.model_digest = '{digest}'",
        order_by=["attributes.start_time DESC"],
    )
    kept = (run.data.metrics for run in found if "train_seconds" in run.data.metrics)
    return _of_whole_run(next(kept, {}))


def artifact(opened: store.Store, run_id: str, name: str) -> str:
    """The text of a file that a run has recorded.

    Raises:
        FileNotFoundError: it has no such file, or cannot be had.
    """
    with _opener(opened.client.get_run(run_id).info.artifact_uri)(name) as file:
        return str(file.read())


def _read(run: Any, client: Any, reports: Collection[str]) -> Run:
    tags, metrics = run.data.tags, run.data.metrics
    experiment = tags.get("dvc_experiment")
    results = read_results(_opener(run.info.artifact_uri), reports)
    if reports and not results.history:  # a training that goes on, or has died
        results.history = _epochs(client, run)
    return Run(
        id=run.info.run_id,
        name=run.info.run_name or run.info.run_id[:8],
        source="MLflow",
        status=run.info.status,
        started=run.info.start_time / 1000,
        parameters=dict(run.data.params),
        metrics=_of_whole_run(metrics),
        results=results,
        experiments=[experiment] if experiment else [],
        commit=tags.get("git_commit", ""),
        failure=tags.get("failure", ""),
        data_digest=tags.get("data_digest", ""),
        test_digest=tags.get("test_digest", ""),
        code=tags.get("code_digest", ""),
    )


def _of_whole_run(metrics: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in metrics.items() if name not in EPOCHS}


def _epochs(client: Any, run: Any) -> dict[str, list[float]]:
    """The epochs that were recorded as they happened, as history.csv would have them."""
    points: dict[str, dict[int, float]] = {}
    for name in EPOCHS:
        if name in run.data.metrics:
            found = client.get_metric_history(run.info.run_id, name)
            points[name] = {point.step: point.value for point in found}
    steps = sorted(set.intersection(*map(set, points.values()))) if points else []
    if not steps:
        return {}
    return {
        "epoch": [float(step) for step in steps],
        **{name: [values[step] for step in steps] for name, values in points.items()},
    }


def _opener(uri: str) -> Any:
    parts = urlsplit(uri)
    if parts.scheme in ("", "file"):
        folder = Path(unquote(parts.path))
        return lambda name: (folder / name).open(encoding="utf-8", newline="")
    return lambda name: _fetched(uri, name)


@contextmanager
def _fetched(uri: str, name: str) -> Iterator[TextIO]:
    """An artifact that a server keeps, as a file that goes again."""
    import mlflow.artifacts
    from mlflow.exceptions import MlflowException

    with TemporaryDirectory() as folder:
        try:
            path = mlflow.artifacts.download_artifacts(
                artifact_uri=f"{uri}/{name}", dst_path=folder, tracking_uri=store.tracking_uri()
            )
        except (MlflowException, OSError) as error:
            raise FileNotFoundError(name) from error
        with Path(path).open(encoding="utf-8", newline="") as file:
            yield file
