"""PostgreSQL: the system's package, with a cluster of our own."""

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from pipeline.errors import PipelineError
from tools import server
from tools.services.place import Place, write_secret
from tools.services.processes import Service, start

USER = "mlflow"
DATABASES = ("records", "accounts")
DEBIAN = Path("/usr/lib/postgresql")  # a folder a version, none of them in PATH
MISSING = "PostgreSQL is not here; `sudo apt-get install postgresql` brings it"
SYSTEM_USER = "postgres"  # Debian's package makes it; PostgreSQL does not run as root


def programs() -> Path:
    """The folder of PostgreSQL's programs: that of PATH, else the newest of Debian's.

    Raises:
        PipelineError: there is none, with the line that installs it.
    """
    found = shutil.which("initdb")
    debian = sorted(DEBIAN.glob("*/bin/initdb"), key=_version)
    if not found and not debian:
        raise PipelineError(MISSING)
    # Resolved: a link of one program has none of the others beside it.
    return Path(found).resolve().parent if found else debian[-1].parent


def up(place: Place) -> None:
    """Start it, and make the cluster and its databases where there are none.

    Raises:
        PipelineError: it is not installed, or fails: its last line.
    """
    bin_folder, user = programs(), _user()
    # libpq reads it, so that no address holds a password.
    write_secret(place / "pgpass", f"{server.HOST}:*:*:{USER}:{place.password('postgres')}\n")
    data = place / "postgres"
    if not data.exists():
        _make(place, data, bin_folder / "initdb", user)
    command = [str(bin_folder / "postgres"), "-D", str(data)]
    for setting in (
        f"listen_addresses={server.HOST}",
        f"port={place.port('postgres')}",
        "unix_socket_directories=",
    ):
        command += ["-c", setting]
    start(place, Service("postgres", command, lambda: _answers(place), user=user))
    for name in DATABASES:
        _create(place, name)


def address(place: Place, database: str) -> str:
    """A database as SQLAlchemy takes it, without a password: PGPASSFILE names its file."""
    return f"postgresql+psycopg://{USER}@{server.HOST}:{place.port('postgres')}/{database}"


def _user() -> str | None:
    """Who runs it, where this program is root's."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(SYSTEM_USER).pw_name
    except KeyError:
        raise PipelineError(
            f"PostgreSQL does not run as root, and there is no user {SYSTEM_USER}; be another user"
        ) from None


def _make(place: Place, data: Path, initdb: Path, user: str | None) -> None:
    partial = data.with_name(f".{data.name}.partial")  # of one that was killed
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(mode=0o700)
    with tempfile.TemporaryDirectory(prefix="pipeline-") as scratch:
        password = Path(scratch) / "password"
        write_secret(password, place.password("postgres"))
        if user:
            for path in (partial, Path(scratch), password):
                shutil.chown(path, user, user)
        command = [str(initdb), "-D", str(partial), "--username", USER, "--encoding", "UTF8"]
        command += ["--locale", "C", "--auth", "scram-sha-256", "--pwfile", str(password)]
        number = pwd.getpwnam(user).pw_uid if user else None
        done = subprocess.run(
            command, cwd=scratch, user=number, capture_output=True, text=True, check=False
        )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise PipelineError(f"{data}: initdb: {last.removeprefix('initdb: ')}")
    partial.rename(data)


def connect(place: Place, database: str = "postgres") -> Any:
    """A connection of psycopg's, each of whose statements holds at once."""
    import psycopg

    return psycopg.connect(
        host=server.HOST,
        port=place.port("postgres"),
        user=USER,
        password=place.password("postgres"),
        dbname=database,
        connect_timeout=5,
        autocommit=True,
    )


def _answers(place: Place) -> bool:
    import psycopg

    try:
        connect(place).close()
    except psycopg.OperationalError:
        return False
    return True


def _create(place: Place, name: str) -> None:
    import psycopg

    with connect(place) as connection, contextlib.suppress(psycopg.errors.DuplicateDatabase):
        connection.execute(f"CREATE DATABASE {name}")


def _version(path: Path) -> tuple[int, ...]:
    return tuple(int(part) for part in path.parts[-3].split(".") if part.isdigit())
