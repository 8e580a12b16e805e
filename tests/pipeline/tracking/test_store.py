"""The store: where it is, made once, and what is said when it cannot be used."""

import contextlib
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from pipeline.tracking import record_failure, start_run, store
from tests.support import REPOSITORY

WORKER = """
import sys
from pipeline.tracking import start_run
for seed in range(int(sys.argv[1])):
    record = start_run({"model": "tiny_cnn", "dataset": "digits", "seed": seed}, {"data_digest": "x"})
    for epoch in range(1, 6):
        record.log_epoch(epoch, {"loss": 1 / epoch, "accuracy": epoch / 9})
    record.log_tags({"model_digest": "abc"})
    record.finish()
"""


def query(database: Path, sql: str) -> list[tuple]:
    with contextlib.closing(sqlite3.connect(database)) as connection:
        return connection.execute(sql).fetchall()


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_the_import_is_cheap(workspace):
    script = (
        "import sys, pipeline.tracking; print([m for m in ('mlflow', 'keras') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_the_store_is_the_roots_also_from_a_copy(tracked, monkeypatch):
    copy = tracked / ".dvc" / "tmp" / "exps" / "tmpabc"
    copy.mkdir(parents=True)
    monkeypatch.chdir(copy)
    opened = store.connect()
    location = opened.client.get_experiment(opened.experiment_id).artifact_location
    assert location == (tracked / "mlartifacts").as_uri()
    assert list(copy.iterdir()) == []


def test_which_address(workspace, monkeypatch):
    assert store.tracking_uri() == f"sqlite:///{workspace}/mlflow.db"
    for given, expected in {
        "sqlite:///other.db": f"sqlite:///{workspace}/other.db",
        "sqlite:////tmp/a.db": "sqlite:////tmp/a.db",
        "http://127.0.0.1:5000": "http://127.0.0.1:5000",
    }.items():
        monkeypatch.setenv("MLFLOW_TRACKING_URI", given)
        assert store.tracking_uri() == expected


@pytest.mark.parametrize("name", ["with space", "100%", "a#b", "사진"])
def test_any_name_of_a_folder(new_process, empty_store, monkeypatch, name):
    root = new_process / name
    root.mkdir()
    (root / "mlflow.db").write_bytes(empty_store.read_bytes())
    monkeypatch.setenv("DVC_ROOT", str(root))
    (root / "note.txt").write_text("hello")
    record = start_run({"model": "tiny_cnn", "dataset": "digits"}, {})
    record.log_artifact(root / "note.txt")
    record.finish()
    assert [path.name for path in (root / "mlartifacts").rglob("*.txt")] == ["note.txt"]
    assert query(root / "mlflow.db", "SELECT status FROM runs") == [("FINISHED",)]


def test_three_processes_at_once_make_one_store_and_lose_nothing(new_process):
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, "4"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(3)
    ]
    said = [worker.communicate(timeout=500)[0] for worker in workers]
    assert said == ["", "", ""]  # no 'database is locked', and no talk of MLflow's
    assert [worker.returncode for worker in workers] == [0, 0, 0]
    database = new_process / "mlflow.db"
    assert query(database, "SELECT status, COUNT(*) FROM runs GROUP BY 1") == [("FINISHED", 12)]
    assert query(database, "SELECT COUNT(*) FROM metrics") == [(12 * 5 * 2,)]
    names = query(database, "SELECT name FROM experiments ORDER BY 1")
    assert names == [("Default",), ("image-classification",)]
    left = [path.name for path in new_process.iterdir() if "partial" in path.name]
    assert left == []


def test_killed_while_the_store_is_made(new_process):
    process = subprocess.Popen([sys.executable, "-c", WORKER, "1"])
    while process.poll() is None and not list(new_process.glob(".mlflow.db.*.new")):
        time.sleep(0.001)
    time.sleep(0.2)  # some tables are there, others not
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert list(new_process.glob(".mlflow.db.*.new"))
    assert not (new_process / "mlflow.db").exists()
    record = start_run({"model": "tiny_cnn", "dataset": "digits"}, {})
    assert record.run_id
    assert not list(new_process.glob(".mlflow.db.*"))


def test_numbers_drawn_elsewhere_do_not_change(tracked):
    import random

    import numpy as np

    random.seed(1)
    np.random.seed(1)
    before = random.getstate(), np.random.get_state()[1].tolist()
    record = start_run({"model": "tiny_cnn", "dataset": "digits"}, {"data_digest": "x"})
    record.log_epoch(1, {"loss": 1.0})
    record.finish()
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before


def assert_one_line(capfd, *parts: str, seconds: float = 5) -> None:
    """A whole run without a store: one line, then silence, and soon over."""
    start = time.monotonic()
    record = start_run({"model": "tiny_cnn", "dataset": "digits"}, {})
    record.log_epoch(1, {"loss": 1.0})
    record.log_tags({"a": "b"})
    record.log_artifact(Path("params.yaml"))
    record.finish()
    record_failure("train", "ValueError: no")
    again = start_run({"model": "tiny_cnn", "dataset": "digits"}, {})
    took = time.monotonic() - start
    out, err = capfd.readouterr()
    assert record.run_id is None
    assert again.run_id is None
    assert err == ""
    assert out.count("\n") == 1
    assert out.startswith("mlflow: this run is not recorded: ")
    for part in parts:
        assert part in out
    assert took < seconds


def test_a_closed_port(new_process, closed_port, monkeypatch, capfd):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://someone:secret@127.0.0.1:{closed_port}")
    assert_one_line(
        capfd,
        f"http://127.0.0.1:{closed_port}: Connection refused; start that server, or unset MLFLOW_TRACKING_URI",
    )


@pytest.mark.parametrize(
    ("answer", "part"),
    [("page", "error code 404"), ("nothing", "Read timed out")],
)
def test_another_server(new_process, monkeypatch, capfd, answer, part):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if answer == "nothing":
                time.sleep(2)
            self.send_error(404)

        do_POST = do_GET  # noqa: N815 - http.server's name

        def log_message(self, *arguments: object) -> None:
            pass

    class Server(HTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            pass  # the client has hung up

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://a:secret@127.0.0.1:{server.server_port}")
    try:
        assert_one_line(capfd, part)
    finally:
        server.shutdown()


def test_a_file_that_is_no_database(new_process, capfd):
    (new_process / "mlflow.db").write_text("hello\n" * 1000)
    assert_one_line(capfd, "mlflow.db: file is not a database; move the file away")
    assert (new_process / "mlflow.db").read_text() == "hello\n" * 1000


def test_a_folder_in_its_place(new_process, capfd):
    (new_process / "mlflow.db").mkdir()
    assert_one_line(capfd, "mlflow.db: unable to open database file; make it a writable file")


def test_somebody_elses_database(new_process, capfd):
    with contextlib.closing(sqlite3.connect(new_process / "mlflow.db")) as connection:
        connection.execute("CREATE TABLE songs (name TEXT)")
    before = (new_process / "mlflow.db").read_bytes()
    assert_one_line(capfd, "a database, but not MLflow's; set MLFLOW_TRACKING_URI to another file")
    assert (new_process / "mlflow.db").read_bytes() == before


def test_the_store_of_another_mlflow_is_not_migrated(tracked, capfd):
    with contextlib.closing(sqlite3.connect(tracked / "mlflow.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '0a8213491aaa'")
        connection.execute("DROP TABLE logged_model_tags")  # so that MLflow would migrate it
    before = (tracked / "mlflow.db").read_bytes()
    assert_one_line(
        capfd,
        "written by another version of MLflow (schema 0a8213491aaa, this one has ",
        f"`mlflow db upgrade sqlite:///{tracked}/mlflow.db`",
    )
    assert (tracked / "mlflow.db").read_bytes() == before


def test_a_store_that_can_only_be_read(tracked, monkeypatch, capfd):
    # SQLite's own read-only mode: file permissions do not stop root.
    path = f"file:{tracked / 'mlflow.db'}?mode=ro&uri=true"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{path}")
    assert_one_line(capfd, "attempt to write a readonly database; make it a writable file")


@pytest.mark.skipif(
    not Path("/proc/self").exists(), reason="needs /proc: a folder nobody can write"
)
def test_a_folder_that_cannot_be_written(new_process, monkeypatch, capfd):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:////proc/self/mlflow.db")
    assert_one_line(capfd, "sqlite:////proc/self/mlflow.db: ", "set MLFLOW_TRACKING_URI")


def test_a_root_that_cannot_be_written(new_process, monkeypatch, capfd):
    (new_process / ".state").write_text("in the way")
    assert_one_line(capfd, "File exists", "set MLFLOW_TRACKING_URI")


@pytest.mark.parametrize("uri", ["file:///tmp/mlruns", "nonsense://x"])
def test_stores_that_mlflow_does_not_take(new_process, monkeypatch, capfd, uri):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    assert_one_line(capfd, f"{uri}: ", "set MLFLOW_TRACKING_URI")


def test_a_deleted_experiment(client, capfd):
    client.delete_experiment(client.create_experiment("image-classification"))
    assert_one_line(capfd, "the experiment image-classification was deleted; `mlflow experiments")


def test_a_locked_database(tracked, monkeypatch, capfd):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tracked / 'mlflow.db'}?timeout=1")
    with contextlib.closing(sqlite3.connect(tracked / "mlflow.db")) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert_one_line(capfd, "database is locked; end the program that holds it")


def test_the_users_settings_stay(new_process, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "77")
    store.quiet()
    import os

    assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "77"
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"


def test_telemetry_is_off(tracked):
    script = (
        "from pipeline.tracking import start_run; start_run({}, {});"
        "from mlflow.telemetry.utils import is_telemetry_disabled; print(is_telemetry_disabled())"
    )
    # Of the environment only this: under pytest and CI MLflow sends nothing anyway.
    environment = {"DVC_ROOT": str(tracked), "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment
    )
    assert (done.stdout, done.stderr) == ("True\n", "")
