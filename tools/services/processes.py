"""A service as a process of its own: it outlives this program, and is ended by its id."""

import json
import os
import pwd
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from pipeline.errors import PipelineError
from pipeline.runtime import files
from pipeline.tracking import identity
from pipeline.tracking.sanitize import without_credentials
from tools import server
from tools.services.place import Place

END_SECONDS = 20


@dataclass(frozen=True)
class Service:
    """How a service is started and ended.

    `answers` says whether it does its work; `environment` stands over this program's variables,
    and secrets are there, never in `command`, which every user of the machine can read; `user`
    runs it in place of root.
    """

    name: str
    command: Sequence[str]
    answers: Callable[[], bool]
    environment: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None


def start(place: Place, service: Service) -> None:
    """Start a service, unless it runs, and wait until it answers.

    Raises:
        PipelineError: it ended by itself, with its last line, or does not answer.
    """
    if not _alive(place, service.name):
        _launch(place, service)
    until = time.monotonic() + server.START_SECONDS
    log = place / f"{service.name}.log"
    while time.monotonic() < until:
        if service.answers():
            return
        if not _alive(place, service.name):
            lines = log.read_text(errors="replace").strip().splitlines() or ["no message"]
            raise PipelineError(
                f"{service.name} ended: {without_credentials(lines[-1])}; see {log}"
            )
        time.sleep(0.2)
    raise PipelineError(f"{service.name} did not answer within {server.START_SECONDS} s; see {log}")


def end(place: Place, name: str, ask: signal.Signals = signal.SIGTERM) -> bool:
    """End a service and what it started; False where it does not run."""
    if not _alive(place, name):
        return False
    pid = int(_read(place, name)["pid"])
    left = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    os.kill(pid, ask)
    _, left = psutil.wait_procs(left, timeout=END_SECONDS)
    for process in left:  # by psutil, which sees that an id has not been given to another
        process.kill()
    psutil.wait_procs(left, timeout=END_SECONDS)
    return True


def _launch(place: Place, service: Service) -> None:
    environment = {**os.environ, **service.environment}
    user = pwd.getpwnam(service.user) if service.user else None
    log = os.open(place / f"{service.name}.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        process = subprocess.Popen(
            service.command,
            cwd=place.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C here is none there
            user=user.pw_uid if user else None,
            group=user.pw_gid if user else None,
            extra_groups=[] if user else None,
        )
    finally:
        os.close(log)
    started = f"{psutil.Process(process.pid).create_time():.2f}"
    files.write_json(_note(place, service.name), {"pid": str(process.pid), "started": started})


def _alive(place: Place, name: str) -> bool:
    known = _read(place, name)
    return bool(known) and identity.is_alive(known["pid"], known["started"])


def _read(place: Place, name: str) -> dict[str, str]:
    try:
        found: dict[str, str] = json.loads(_note(place, name).read_text())
        return found
    except (OSError, ValueError):
        return {}


def _note(place: Place, name: str) -> Path:
    return place / f"{name}.pid.json"
