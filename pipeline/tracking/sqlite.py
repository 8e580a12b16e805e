"""The SQLite store: made whole or not at all, and looked at before MLflow opens it.

MLflow would retry a database that it cannot open for 100 seconds, migrate an
older one in place without asking, and leave half the tables when it is killed
while making them; two processes that make one at once end with one of them
dead ('table experiments already exists').
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from pipeline.runtime import files

BUSY_SECONDS = 20  # how long a writer waits for another one; MLflow's own value


class StoreError(Exception):
    """The store cannot be used: one line with the store, what is wrong, what would be right."""


def make_if_new(path: Path) -> None:
    """Make an empty store at `path` unless something is there. Hold a lock around it."""
    if path.is_dir() or (path.exists() and path.stat().st_size):
        return
    from mlflow import MlflowClient

    for left in path.parent.glob(f".{path.name}.*.partial*"):
        left.unlink()  # a process that was killed here left it
    with files.atomic(path) as partial:
        partial.touch()  # fails at once where MLflow would try for 100 seconds
        scratch = partial.with_name(f"{partial.name}.new")
        try:
            MlflowClient(tracking_uri=f"sqlite:///{scratch}").search_experiments(max_results=1)
            with closing(sqlite3.connect(scratch)) as made, closing(sqlite3.connect(partial)) as to:
                made.backup(to)  # the pool of MLflow's connections keeps the scratch file open
        finally:
            scratch.unlink(missing_ok=True)


def check(uri: str, shown: str) -> None:
    """Open the database as MLflow would, and see that it can be written and is of this MLflow.

    Raises:
        StoreError: it is read-only, locked, no database, or of another MLflow.
    """
    import sqlalchemy

    url = sqlalchemy.make_url(uri)
    arguments, options = url.get_dialect()().create_connect_args(url)
    options.setdefault("timeout", BUSY_SECONDS)
    try:
        with closing(sqlite3.connect(str(arguments[0]), **options)) as connection:
            connection.isolation_level = None
            connection.execute("BEGIN IMMEDIATE")
            if _check_schema(connection, shown):
                # Fails where the file, or its folder, cannot be written.
                connection.execute("UPDATE alembic_version SET version_num = version_num")
            connection.execute("ROLLBACK")
    except sqlite3.Error as error:
        raise StoreError(f"{shown}: {error}; {_remedy(error)}") from error


def _check_schema(connection: Any, shown: str) -> bool:
    """Whether there are tables; they must be those of the installed MLflow."""
    query = "SELECT name FROM sqlite_master WHERE type = 'table'"
    tables = {name for (name,) in connection.execute(query)}
    if not tables:
        return False
    if "alembic_version" not in tables:
        raise StoreError(
            f"{shown}: a database, but not MLflow's; set MLFLOW_TRACKING_URI to another file"
        )
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    found, expected = row[0] if row else "none", _schema()
    if found != expected:
        raise StoreError(
            f"{shown}: written by another version of MLflow (schema {found}, this one has "
            f"{expected}); copy it, then `mlflow db upgrade {shown}` brings an older one up to date"
        )
    return True


def _schema() -> str:
    """The revision of the tables that the installed MLflow works with."""
    import mlflow
    from alembic.script import ScriptDirectory

    folder = Path(mlflow.__file__).parent / "store" / "db_migrations"
    return " ".join(ScriptDirectory(str(folder)).get_heads())


def _remedy(error: sqlite3.Error) -> str:
    text = str(error)
    if "locked" in text:
        return "end the program that holds it"
    if "not a database" in text or "malformed" in text:
        return "move the file away, and the next run makes a new one"
    return "make it a writable file, or set MLFLOW_TRACKING_URI to another store"
