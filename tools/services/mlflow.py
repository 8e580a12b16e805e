"""MLflow's server with accounts: each account may do everything in the team's experiment, adds
versions to every registered model, and reads what others keep in experiments of their own."""

import sys
from typing import Any

import requests

from pipeline.errors import PipelineError
from pipeline.tracking import store, view
from tools import server
from tools.services import postgres
from tools.services.place import Place, write_secret
from tools.services.processes import Service, start

ADMIN = "admin"
SETTINGS = """[mlflow]
default_permission = READ
database_uri = {database}
admin_username = {admin}
auth_cache_ttl_seconds = 60
"""
SECONDS = 30  # for an answer


def up(place: Place) -> None:
    """Start it on PostgreSQL, make the team's experiment, and an account for each person.

    Raises:
        PipelineError: it does not start, or refuses.
    """
    settings = SETTINGS.format(database=postgres.address(place, "accounts"), admin=ADMIN)
    write_secret(place / "accounts.ini", settings)
    command = [sys.executable, "-m", "mlflow", "server", "--app-name", "basic-auth"]
    command += ["--host", server.HOST, "--port", str(place.port("mlflow")), "--workers", "2"]
    command += ["--artifacts-destination", str(place / "artifacts")]
    command += ["--uvicorn-opts", "--log-level=warning"]
    environment = {
        "MLFLOW_BACKEND_STORE_URI": postgres.address(place, "records"),
        "MLFLOW_AUTH_CONFIG_PATH": str(place / "accounts.ini"),
        "MLFLOW_AUTH_ADMIN_PASSWORD": place.password(ADMIN),
        "MLFLOW_FLASK_SERVER_SECRET_KEY": place.password("cookies"),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "PGPASSFILE": str(place / "pgpass"),
    }
    start(place, Service("mlflow", command, lambda: _healthy(place), environment))
    experiment = _experiment(place)
    for person in place.people():
        _ask(place, "2.0/mlflow/users/create", username=person, password=place.password(person))
        for kind, which, permission in (
            ("experiment", experiment, "MANAGE"),
            ("registered_model", "*", "EDIT"),
        ):
            _ask(
                place,
                "3.0/mlflow/users/permissions/grant",
                username=person,
                resource_type=kind,
                resource_id=which,
                permission=permission,
            )


def address(place: Place) -> str:
    return f"http://{server.HOST}:{place.port('mlflow')}"


def _healthy(place: Place) -> bool:
    try:
        return requests.get(f"{address(place)}/health", timeout=5).ok
    except requests.RequestException:
        return False


def _experiment(place: Place) -> str:
    """The id of the experiment that all runs go to."""
    tags = [{"key": key, "value": value} for key, value in view.experiment_tags().items()]
    made = _ask(place, "2.0/mlflow/experiments/create", name=store.EXPERIMENT, tags=tags)
    if not made:
        path = f"2.0/mlflow/experiments/get-by-name?experiment_name={store.EXPERIMENT}"
        made = _ask(place, path, method="GET")["experiment"]
    return str(made["experiment_id"])


def _ask(place: Place, path: str, method: str = "POST", **body: Any) -> dict[str, Any]:
    """What the server answers the admin; {} where what is to be made is there already.

    Raises:
        PipelineError: it refuses, in its own words.
    """
    answer = requests.request(
        method,
        f"{address(place)}/api/{path}",
        json=body or None,
        auth=(ADMIN, place.password(ADMIN)),
        timeout=SECONDS,
    )
    known = answer.json() if "json" in answer.headers.get("content-type", "") else {}
    if known.get("error_code") == "RESOURCE_ALREADY_EXISTS":
        return {}
    if not answer.ok:
        raise PipelineError(f"mlflow: {path}: {known.get('message') or answer.status_code}")
    return dict(known)
