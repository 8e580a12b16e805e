"""What `make team-up` writes and says, without a service."""

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from pipeline.errors import PipelineError
from tools import team
from tools.services import place as places
from tools.services import postgres, processes
from tools.services.place import Place


@pytest.fixture
def place(workspace: Path) -> Place:
    return places.here()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_without_postgresql_one_line_says_what_brings_it(workspace, monkeypatch):
    monkeypatch.setattr(postgres, "DEBIAN", workspace / "nothing")
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
    with pytest.raises(PipelineError) as refused:
        team.main(["up"])
    assert str(refused.value) == (
        "PostgreSQL is not here; `sudo apt-get install postgresql` brings it"
    )
    assert not list((workspace / ".state" / "team").glob("*.json"))


def test_the_newest_of_debians_postgresql_is_taken(workspace, monkeypatch):
    for version in ("9.6", "15", "17"):
        (workspace / version / "bin").mkdir(parents=True)
        (workspace / version / "bin" / "initdb").touch()
    monkeypatch.setattr(postgres, "DEBIAN", workspace)
    monkeypatch.setenv("PATH", "")
    assert postgres.programs() == workspace / "17" / "bin"
    (workspace / "15/bin/initdb").chmod(0o755)
    (workspace / "initdb").symlink_to(workspace / "15/bin/initdb")
    monkeypatch.setenv("PATH", str(workspace))
    assert postgres.programs() == workspace / "15" / "bin"


def test_without_the_extra_one_line_says_what_brings_it(workspace, monkeypatch):
    monkeypatch.setattr(postgres, "programs", lambda: workspace)
    monkeypatch.setattr(team, "MODULES", ("not_there",))
    with pytest.raises(PipelineError, match="`make setup EXTRA=team` brings them"):
        team.main(["up"])


def test_a_persons_variables_as_a_shell_reads_them(place):
    place.add_people(["anna", "ben"])
    path = place.write_variables("anna")
    assert mode(path) == 0o600
    said = subprocess.run(
        ["sh", "-c", f". {path}; env"], capture_output=True, text=True, env={}, check=True
    ).stdout
    found = dict(line.split("=", 1) for line in said.splitlines())
    assert found["MLFLOW_TRACKING_USERNAME"] == found["AWS_ACCESS_KEY_ID"] == "anna"
    assert found["MLFLOW_TRACKING_PASSWORD"] == place.password("anna") != place.password("ben")
    assert found["MLFLOW_TRACKING_URI"] == f"http://127.0.0.1:{place.port('mlflow')}"


def test_passwords_and_ports_stand_from_start_to_start(place):
    place.add_people(["anna"])
    first = place.variables("anna")
    again = places.here()
    again.add_people(["carla", "anna"])
    assert again.people() == ["anna", "carla"]
    assert again.variables("anna") == first
    assert len({again.port(name) for name in places.FIRST_PORTS}) == 3
    secret = {again.password(name) for name in ("anna", "carla", "admin")}
    assert len(secret) == 3
    for path in again.folder.iterdir():
        holds = any(word in path.read_text() for word in secret)
        assert mode(path) == 0o600 if holds else True
    assert not any(word in "\n".join(team.words(again)) for word in secret)


def test_a_secret_is_never_readable_by_others(place, monkeypatch):
    seen = []
    replace = Path.replace
    monkeypatch.setattr(Path, "replace", lambda s, t: (seen.append(mode(s)), replace(s, t))[1])
    before = os.umask(0)
    places.write_secret(place / "one", "x")
    places.write_secret(place / "one", "y")
    os.umask(before)
    assert seen == [0o600, 0o600]
    assert (place / "one").read_text() == "y"


@pytest.mark.parametrize("name", ["admin", "Anna", "a b", "../x", ""])
def test_a_name_that_is_no_account(place, name):
    with pytest.raises(PipelineError, match=f"PEOPLE: {name}: expected"):
        place.add_people([name])
    assert place.people() == []


def test_a_service_is_found_again_and_ended_with_what_it_started(place):
    script = (
        "import os, subprocess, sys, time; print(os.environ['WORD'], flush=True);"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); time.sleep(600)"
    )
    log = place / "one.log"
    service = processes.Service(
        "one", [sys.executable, "-c", script], lambda: "ready" in log.read_text(), {"WORD": "ready"}
    )
    processes.start(place, service)
    pid = processes._read(place, "one")["pid"]
    processes.start(place, service)  # runs already
    assert processes._read(place, "one")["pid"] == pid
    process = psutil.Process(int(pid))
    while not (children := process.children()):
        pass
    assert mode(log) == 0o600
    assert processes.end(place, "one", signal.SIGTERM)
    assert not children[0].is_running() or children[0].status() == psutil.STATUS_ZOMBIE
    assert not processes.end(place, "one")


def test_a_service_that_dies_is_its_last_line_without_a_password(place):
    command = [sys.executable, "-c", "import sys; sys.exit('no http://me:secret@host/x')"]
    with pytest.raises(PipelineError, match=r"one ended: no http://host/x; see .*one\.log"):
        processes.start(place, processes.Service("one", command, lambda: False))
