"""A team on this machine: what one person has run, a colleague has without training.

All the services are real ones on 127.0.0.1, started by `tools.team up`: PostgreSQL, MLflow with
accounts, an S3 store, a bare repository; two clones with an account each.
"""

import concurrent.futures
import contextlib
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from pipeline.errors import PipelineError
from tests.repository import Repository
from tools import team
from tools.services import postgres, processes
from tools.services.place import Place

pytestmark = pytest.mark.slow

PEOPLE = ("anna", "ben")
UNBUFFERED = {"PYTHONUNBUFFERED": "1"}
WORKER = (
    "import sys; from pipeline.tracking import start_run\n"
    "for seed in range(3):\n"
    "    record = start_run({'dataset': 'digits', 'worker': sys.argv[1], 'seed': seed}, {})\n"
    "    for epoch in range(1, 6): record.log_epoch(epoch, {'loss': 1 / epoch})\n"
    "    record.log_artifact('params.yaml')\n"
    "    record.finish()\n"
)


class Team:
    """The services of a repository of its own, and a clone for each person."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = Repository(folder / "home")
        self.place = Place(folder / "home" / ".state" / "team")
        self.said = ""

    def up(self) -> None:
        self.said += self.run(self.home.folder, {}, sys.executable, "-m", "tools.team", "up")

    def down(self) -> None:
        self.said += self.run(self.home.folder, {}, sys.executable, "-m", "tools.team", "down")

    def run(self, folder: Path, more: dict[str, str], *command: str, status: int = 0) -> str:
        """What a program prints; its exit status is checked."""
        done = subprocess.run(
            command, cwd=folder, env=Repository.environment() | more, timeout=1500,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        with (self.folder / "printed.txt").open("a") as kept:
            kept.write(done.stdout)
        assert done.returncode == status, done.stdout
        return done.stdout

    def ask(self, path: str, **body: Any) -> dict[str, Any]:
        """What MLflow's server answers its admin."""
        address = f"http://127.0.0.1:{self.place.port('mlflow')}/api/2.0/mlflow/{path}"
        who = ("admin", self.place.password("admin"))
        answer = requests.request(
            "POST" if body else "GET", address, json=body or None, auth=who, timeout=60
        )
        assert answer.ok, answer.text
        return dict(answer.json())

    def runs(self) -> list[dict[str, Any]]:
        """All runs of the team's experiment, the newest first."""
        found = self.ask("experiments/get-by-name?experiment_name=image-classification")
        number = found["experiment"]["experiment_id"]
        return list(self.ask("runs/search", experiment_ids=[number]).get("runs", []))

    def epochs(self, run_id: str) -> list[int]:
        path = f"metrics/get-history?run_id={run_id}&metric_key=loss"
        return [int(point.get("step", 0)) for point in self.ask(path).get("metrics", [])]

    def kill(self, service: str) -> None:
        """End a service and what it started as a crash would."""
        top = psutil.Process(int(processes._read(self.place, service)["pid"]))
        for process in [top, *top.children(recursive=True)]:
            process.kill()
        top.wait(60)


class Person:
    """Somebody with an account and a clone."""

    def __init__(self, team: Team, name: str) -> None:
        self.team, self.name = team, name
        self.folder = team.folder / name
        where = str(team.place / "repository.git")
        team.run(team.folder, {}, "git", "clone", "-q", where, name)
        self("dvc", "remote", "add", "--local", "--default", "team", "s3://pipeline")

    def __call__(self, *command: str, status: int = 0, **more: str) -> str:
        variables = self.team.place.variables(self.name)
        return self.team.run(self.folder, variables | more, *command, status=status)

    def python(self, module: str, *arguments: str, **more: str) -> str:
        return self(sys.executable, "-m", module, *arguments, **more)

    def set(self, **changes: object) -> None:
        there = Repository.__new__(Repository)
        there.folder = self.folder
        there.set(**changes)

    def train(self, **changes: object) -> str:
        """Resolve the parameters and train, as DVC would start it."""
        self.set(**changes)
        self.python("stages.params")
        return self.python("stages.train")

    def score(self) -> str:
        return self.python("stages.evaluate") + self.python("stages.report")


@pytest.fixture(scope="module")
def services() -> Iterator[Team]:
    try:
        postgres.programs()
    except PipelineError as error:
        pytest.skip(str(error))
    missing = [name for name in team.MODULES if not importlib.util.find_spec(name)]
    if missing or not shutil.which("rclone"):
        pytest.skip(f"needs {missing or 'rclone'}: `make setup EXTRA=team`")
    folder = Path(tempfile.mkdtemp(prefix="pipeline-team-"))
    folder.chmod(0o711)  # started by root, PostgreSQL is another user, and pytest's are closed
    made = Team(folder)
    try:
        made.up()
        yield made
    finally:
        made.down()
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def anna(services: Team) -> Person:
    """One who has run two experiments, and pushed them."""
    person = Person(services, "anna")
    person("dvc", "repro")
    person("git", "add", "-A")
    person("git", "commit", "-qm", "digits")
    person("dvc", "push", "--run-cache")
    person("git", "push", "-q", "origin", "HEAD:main")
    person("dvc", "exp", "run", "-S", "epochs=3", "-n", "three-epochs")
    person("dvc", "exp", "push", "origin", "three-epochs")
    person("dvc", "push", "--run-cache")
    person("git", "checkout", "-qf", "HEAD")
    return person


@pytest.fixture(scope="module")
def ben(services: Team, anna: Person) -> Person:
    """A colleague, with what she has committed."""
    return Person(services, "ben")


def test_a_colleague_trains_nothing_and_sees_the_same_runs(services: Team, ben: Person) -> None:
    before = services.runs()
    assert [run["info"]["status"] for run in before] == ["FINISHED", "FINISHED"]
    said = ben("dvc", "repro", "--pull")
    assert "Running stage" not in said
    assert (ben.folder / "data/model/model.keras").stat().st_size > 0
    said = ben("dvc", "exp", "run", "--pull", "-S", "epochs=3", "-n", "again")
    assert "Running stage" not in said
    assert "Stage 'train' is cached" in said
    assert services.runs() == before  # the runs are hers, and untouched
    ben("dvc", "exp", "pull", "origin", "three-epochs")
    assert "compare: 2 experiments" in ben.python("tools.compare")
    assert "more than chance" in ben.python("tools.compare", "again", before[1]["info"]["run_name"])
    assert "alias best" in ben.python("tools.register")
    image = ben.folder / "one.png"
    ben(
        sys.executable, "-c",
        "import numpy, PIL.Image as i;"
        "i.fromarray(numpy.load('data/prepared/test_images.npy')[0][..., 0]).save('one.png')",
    )  # fmt: skip
    for which in (("--run", "three-epochs"), ("--best",)):
        assert ben.python("tools.predict", *which, str(image)).startswith(str(image))
    assert services.runs()[0]["info"] == before[0]["info"]


def test_who_has_no_right_trains_and_reads_why(services: Team, anna: Person, ben: Person) -> None:
    count = len(services.runs())
    ben.set(epochs=1)
    ben.python("stages.params")
    said = ben.python("stages.train", MLFLOW_TRACKING_PASSWORD="wrong")
    line = "mlflow: this run is not recorded: "
    assert said.count("mlflow: ") == said.count(f"{line}http://127.0.0.1:") == 1
    assert ": 401: no account of this name and password; set MLFLOW_TRACKING_USERNAME" in said
    for who, expected in ((anna, 0), (ben, 1)):
        said = who.python("stages.train", MLFLOW_EXPERIMENT_NAME="hers alone")
        assert said.count(line) == expected
    assert "403: this account may not write here" in said
    assert len(services.runs()) == count
    said = ben("dvc", "push", status=255, AWS_SECRET_ACCESS_KEY="wrong", AWS_ACCESS_KEY_ID="ben")
    assert services.place.password("ben") not in said


def test_a_server_that_is_away_in_an_epoch_has_all_of_them_in_the_end(
    services: Team, ben: Person
) -> None:
    epochs = 40
    ben.set(epochs=epochs)
    ben.python("stages.params")
    printed = services.folder / "train.txt"
    with printed.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "stages.train"], cwd=ben.folder, stdout=file, stderr=file,
            env=Repository.environment() | services.place.variables("ben") | UNBUFFERED,
        )  # fmt: skip
    try:
        wait_for(printed, "Epoch 3/", process)
        services.kill("mlflow")
        wait_for(printed, "mlflow: ", process)
        wait_for(printed, "Epoch 8/", process)
        process.send_signal(signal.SIGSTOP)  # so that the training does not end before
        services.up()
        process.send_signal(signal.SIGCONT)
        assert process.wait(600) == 0
    finally:
        process.kill()
    said = printed.read_text()
    assert said.count("mlflow: ") == said.count("mlflow: not recorded for now: ") == 1
    run = services.runs()[0]
    assert services.epochs(run["info"]["run_id"]) == list(range(1, epochs + 1))
    assert run["info"]["status"] == "FINISHED"


def test_a_database_that_refuses_gets_the_training_from_the_report(
    services: Team, ben: Person
) -> None:
    count = len(services.runs())
    with read_only(services.place):
        said = ben.train(epochs=4)
    assert said.count("mlflow: ") == said.count("mlflow: this run is not recorded: ") == 1
    assert len(services.runs()) == count
    said = ben.score()
    assert "mlflow: " not in said
    assert len(services.runs()) == count + 1
    run = services.runs()[0]
    assert services.epochs(run["info"]["run_id"]) == [1, 2, 3, 4]
    names = {metric["key"] for metric in run["data"]["metrics"]}
    assert {"test_accuracy", "train_seconds", "val_loss"} <= names


def test_a_full_disk_of_the_server_gets_the_model_from_the_report(
    services: Team, ben: Person
) -> None:
    with full_disk(services.place / "artifacts"):
        said = ben.train(epochs=5)
    lines = [line for line in said.splitlines() if line.startswith("mlflow: ")]
    assert lines[0].startswith("mlflow: not recorded for now: ")
    assert lines[1:] == [
        "mlflow: the record has gaps; the stage report fills them, if the store is back"
    ]
    run_id = services.runs()[0]["info"]["run_id"]
    assert services.epochs(run_id) == [1, 2, 3, 4, 5]
    assert "mlflow: " not in ben.score()
    run = services.runs()[0]
    assert (run["info"]["run_id"], run["info"]["status"]) == (run_id, "FINISHED")
    run = services.ask(f"runs/get?run_id={run_id}")["run"]
    assert len(run["outputs"]["model_outputs"]) == 1
    files = {entry["path"] for entry in services.ask(f"artifacts/list?run_id={run_id}")["files"]}
    assert {"history.csv", "report.html", "figures"} <= files


def test_twelve_at_once_from_four_processes_are_all_there(
    services: Team, anna: Person, ben: Person
) -> None:
    before = len(services.runs())
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        asked = [
            pool.submit(who, sys.executable, "-c", WORKER, f"{who.name}-{number}")
            for who in (anna, ben)
            for number in (1, 2)
        ]
        assert [each.result() for each in asked] == [""] * 4
    new = services.runs()[: len(services.runs()) - before]
    assert len(new) == 12
    assert {run["info"]["status"] for run in new} == {"FINISHED"}
    assert all(services.epochs(run["info"]["run_id"]) == [1, 2, 3, 4, 5] for run in new)
    seeds = {json.dumps(sorted((p["key"], p["value"]) for p in r["data"]["params"])) for r in new}
    assert len(seeds) == 12


def test_a_secret_is_in_no_file_but_its_own(services: Team, anna: Person, ben: Person) -> None:
    place = services.place
    names = ("postgres", "admin", "cookies", *PEOPLE)
    secret = {name: place.password(name).encode() for name in names}
    own = {place / name for name in ("secrets.json", "pgpass", *(f"{p}.env" for p in PEOPLE))}
    dump = services.folder / "records.sql"
    command = [str(postgres.programs() / "pg_dump"), "-f", str(dump), "-h", "127.0.0.1"]
    command += ["-p", str(place.port("postgres")), "-U", postgres.USER, "records"]
    subprocess.run(command, env={**os.environ, "PGPASSFILE": str(place / "pgpass")}, check=True)
    history = ["git", "log", "-p", "--all", "--binary"]
    committed = subprocess.run(history, cwd=place / "repository.git", capture_output=True)
    assert not any(value in committed.stdout for value in secret.values())
    searched = 0
    for path in services.folder.rglob("*"):
        if not path.is_file() or path.is_symlink():
            continue
        searched += 1
        try:
            content = path.read_bytes()
        except FileNotFoundError:  # PostgreSQL works on
            continue
        held = [name for name, value in secret.items() if value in content]
        if path in own:
            assert path.stat().st_mode & 0o077 == 0
        else:
            assert not held, path
    assert searched > 1000
    assert not any(value in services.said.encode() for value in secret.values())
    for process in psutil.process_iter(["cmdline"]):
        line = " ".join(process.info["cmdline"] or ()).encode()
        assert not any(value in line for value in secret.values())


def test_what_runs_listens_on_this_machine_alone_and_ends(services: Team) -> None:
    ports = {services.place.port(name) for name in ("postgres", "mlflow", "s3")}
    listening = [c for c in psutil.net_connections("inet") if c.status == psutil.CONN_LISTEN]
    places = {(c.laddr.ip, c.laddr.port) for c in listening if c.laddr.port in ports}
    assert places == {("127.0.0.1", port) for port in ports}
    services.down()
    assert services.said.splitlines()[-3:] == [
        "team: mlflow ended", "team: s3 ended", "team: postgres ended"
    ]  # fmt: skip
    listening = [c for c in psutil.net_connections("inet") if c.status == psutil.CONN_LISTEN]
    assert not ports & {c.laddr.port for c in listening}


def wait_for(printed: Path, word: str, process: subprocess.Popen[bytes]) -> None:
    while word not in printed.read_text():
        assert process.poll() is None, printed.read_text()
        time.sleep(0.02)


@contextlib.contextmanager
def read_only(place: Place) -> Iterator[None]:
    """A database that answers questions and takes nothing."""
    change = "ALTER DATABASE records SET default_transaction_read_only = {}"
    sessions = "FROM pg_stat_activity WHERE datname = 'records'"
    with postgres.connect(place) as connection:
        connection.execute(change.format("on"))
        connection.execute(f"SELECT pg_terminate_backend(pid) {sessions}")
        try:
            yield
        finally:
            connection.execute(change.format("off"))
            connection.execute(f"SELECT pg_terminate_backend(pid) {sessions}")


@contextlib.contextmanager
def full_disk(folder: Path) -> Iterator[None]:
    """A disk over the folder that has no byte left."""
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"needs a disk of its own: {done.stderr.strip()}")
    try:
        with contextlib.suppress(OSError), (folder / "full").open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)
