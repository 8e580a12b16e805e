"""The folder that holds a team's services: their data, ports, passwords and process ids.

    team.json       the ports and people, the same at each start; no secret
    secrets.json    the passwords, mode 600
    NAME.env        a person's environment variables, for `. NAME.env`, mode 600
    *.log, postgres/, artifacts/, s3/, repository.git/

The folder itself is made with mode 711 at most: nobody else can list it.
"""

import json
import os
import re
import secrets
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pipeline.errors import PipelineError
from pipeline.runtime import files, paths
from tools import server

BUCKET = "pipeline"
# Where a free port is looked for: the programs' own, and one off MLflow's own for `make ui`.
FIRST_PORTS = {"postgres": 5432, "mlflow": 5050, "s3": 9000}
NAME = re.compile(r"[a-z][a-z0-9_-]{0,30}")
RESERVED = ("admin", "postgres", "cookies")  # the services' own among the passwords


class Place:
    """The folder, made where there is none."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(mode=0o711, parents=True, exist_ok=True)

    def __truediv__(self, name: str) -> Path:
        return self.folder / name

    def people(self) -> list[str]:
        """The names of the accounts that were asked for so far."""
        return list(self._settings().get("people", []))

    def add_people(self, names: Iterable[str]) -> None:
        """Remember more accounts.

        Raises:
            PipelineError: a name that is none of an account.
        """
        people = self.people()
        for name in names:
            if not NAME.fullmatch(name) or name in RESERVED:
                raise PipelineError(
                    f"PEOPLE: {name}: expected names of small letters and digits, "
                    f"other than {', '.join(RESERVED)}"
                )
            if name not in people:
                people.append(name)
        self._change(people=people)

    def port(self, service: str) -> int:
        """The service's port on 127.0.0.1: chosen once, so that addresses stand."""
        ports = self._settings().get("ports", {})
        if service not in ports:
            ports[service] = server.free_port(None, FIRST_PORTS[service])
            self._change(ports=ports)
        return int(ports[service])

    def password(self, name: str) -> str:
        """The password of a service or a person; drawn at first."""
        path = self / "secrets.json"
        known: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
        if name not in known:
            known[name] = secrets.token_urlsafe(24)
            write_secret(path, json.dumps(known, indent=2) + "\n")
        return known[name]

    def variables(self, person: str) -> dict[str, str]:
        """What a person's programs find in the environment."""
        password = self.password(person)
        return {
            "MLFLOW_TRACKING_URI": f"http://{server.HOST}:{self.port('mlflow')}",
            "MLFLOW_TRACKING_USERNAME": person,
            "MLFLOW_TRACKING_PASSWORD": password,
            "AWS_ENDPOINT_URL": f"http://{server.HOST}:{self.port('s3')}",
            "AWS_ACCESS_KEY_ID": person,
            "AWS_SECRET_ACCESS_KEY": password,
            "AWS_DEFAULT_REGION": "us-east-1",
            # rclone gives a part of a file the sum of the whole.
            "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required",
        }

    def write_variables(self, person: str) -> Path:
        """Write the person's variables as lines that a shell reads."""
        lines = [f"export {k}={shlex.quote(v)}\n" for k, v in self.variables(person).items()]
        path = self / f"{person}.env"
        write_secret(path, "".join(lines))
        return path

    def _settings(self) -> dict[str, Any]:
        path = self / "team.json"
        found: dict[str, Any] = files.read_json(path) if path.exists() else {}
        return found

    def _change(self, **values: object) -> None:
        files.write_json(self / "team.json", {**self._settings(), **values})


def here() -> Place:
    """The folder of this repository's services."""
    return Place(paths.state() / "team")


def write_secret(path: Path, text: str) -> None:
    """Write a file that nobody else can read, at no moment."""
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    partial.replace(path)
