"""Which store the record is kept in, and opening it: once a process, under a lock between them."""

import contextlib
import logging
import os
import socket
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from filelock import FileLock

from pipeline.runtime import paths
from pipeline.runtime.imports import uncollected
from pipeline.runtime.stage import say
from pipeline.tracking import sqlite, view
from pipeline.tracking.sanitize import one_line, refusal, without_credentials
from pipeline.tracking.sqlite import StoreError

EXPERIMENT = "image-classification"
CONNECT_SECONDS = 3
LOCK_SECONDS = 60

# MLflow's own values retry for four minutes, print through its loggers and
# call home. What the user has set stays.
SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "CRITICAL",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_UV_AUTO_DETECT": "false",
    # It would print the address with the password in it.
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}


@dataclass(frozen=True)
class Store:
    """An open store: MLflow's client and the id of the experiment that runs go to."""

    client: Any
    experiment_id: str


_opened: dict[tuple[str, str], Store | None] = {}


def tracking_uri() -> str:
    """MLFLOW_TRACKING_URI, else mlflow.db under the root; a relative SQLite file is the root's."""
    given = os.environ.get("MLFLOW_TRACKING_URI") or "sqlite:///mlflow.db"
    scheme, separator, rest = given.partition(":///")
    if scheme == "sqlite" and separator and not rest.startswith(("/", "file:", ":")):
        return f"sqlite:///{paths.root() / rest}"
    return given


def experiment_name() -> str:
    return os.environ.get("MLFLOW_EXPERIMENT_NAME") or EXPERIMENT


def artifacts_folder() -> Path:
    """Where the runs' files go, if no server keeps them."""
    return paths.root() / "mlartifacts"


def is_server(uri: str) -> bool:
    """Whether the store stands behind a server of MLflow, which keeps the files itself too."""
    return urlsplit(uri).scheme in ("http", "https")


def open_store() -> Store | None:
    """The store, or None if it cannot be used; the first call says why, in one line."""
    key = (tracking_uri(), experiment_name())
    if key not in _opened:
        _opened[key] = None  # also when this is interrupted: no second try, no second line
        try:
            _opened[key] = connect()
        except StoreError as error:
            say("mlflow", f"this run is not recorded: {error}")
    return _opened[key]


def reopened() -> Store | None:
    """The store; where it could not be used it is tried once more, and nothing is said."""
    key = (tracking_uri(), experiment_name())
    if _opened.get(key) is None:
        with contextlib.suppress(StoreError):
            _opened[key] = connect()
    return _opened.get(key)


def connect() -> Store:
    """Open the store; make it, and the experiment, where there is none.

    Raises:
        StoreError: with one line that says what is wrong and what would be right.
    """
    uri, name = tracking_uri(), experiment_name()
    shown = without_credentials(uri)
    try:
        if is_server(uri):
            _knock(uri, shown)
        paths.state().mkdir(parents=True, exist_ok=True)
        with FileLock(paths.state() / "mlflow.lock", timeout=LOCK_SECONDS):
            return _connect(uri, name, shown)
    except StoreError:
        raise
    except Exception as error:
        remedy = refusal(error) or (
            f"{one_line(error)}; set MLFLOW_TRACKING_URI to a store that can be used"
        )
        raise StoreError(f"{shown}: {remedy}") from error


def quiet() -> None:
    """Settings for MLflow and its neighbours; before the first import of mlflow."""
    loud = "MLFLOW_LOGGING_LEVEL" in os.environ
    for key, value in SETTINGS.items():
        os.environ.setdefault(key, value)
    if not loud:
        for logger in ("mlflow", "alembic", "urllib3.connectionpool"):
            logging.getLogger(logger).setLevel(logging.CRITICAL)


def _connect(uri: str, name: str, shown: str) -> Store:
    quiet()
    with uncollected():
        from mlflow import MlflowClient

    if uri.startswith("sqlite:"):
        import sqlalchemy

        url = sqlalchemy.make_url(uri)
        if url.database and not url.query and url.database != ":memory:":
            sqlite.make_if_new(Path(url.database))
        sqlite.check(uri, shown)
    client = MlflowClient(tracking_uri=uri)
    found = client.get_experiment_by_name(name)
    if found is None:
        location = None if is_server(uri) else artifacts_folder().as_uri()
        return Store(client, _create_experiment(client, name, location))
    if found.lifecycle_stage == "deleted":
        raise StoreError(
            f"{shown}: the experiment {name} was deleted; `mlflow experiments restore "
            f"-x {found.experiment_id}` or set MLFLOW_EXPERIMENT_NAME to another name"
        )
    return Store(client, found.experiment_id)


def _create_experiment(client: Any, name: str, location: str | None) -> str:
    from mlflow.exceptions import MlflowException

    try:
        tags = view.experiment_tags()
        return str(client.create_experiment(name, artifact_location=location, tags=tags))
    except MlflowException:  # another machine was quicker; its locks are not ours
        found = client.get_experiment_by_name(name)
        if found is None:
            raise
        return str(found.experiment_id)


def _knock(uri: str, shown: str) -> None:
    """See that something answers at the server's port, before MLflow's import and retries."""
    parts = urlsplit(uri)
    host = parts.hostname or ""
    if parts.scheme in urllib.request.getproxies() and not urllib.request.proxy_bypass(host):
        return
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((host, port), timeout=CONNECT_SECONDS).close()
    except OSError as error:
        raise StoreError(
            f"{shown}: {error.strerror or error}; start that server, or unset "
            "MLFLOW_TRACKING_URI to record in mlflow.db here"
        ) from error
