"""`benchmarks.peers`: lines are counted, weights compared, runs killed, and the table says it."""

import csv
import io
import json
import sys
import time
import zipfile
from pathlib import Path

import psutil
import pytest
from filelock import FileLock

from benchmarks.peers import table, weights
from benchmarks.peers.__main__ import main
from benchmarks.peers.definition import HERE, PEERS, Peer, written
from benchmarks.peers.running import Peers, kill_after
from pipeline.errors import PipelineError
from tests.support import REPOSITORY
from tools.experiments.repository import Repository


def pt(path: Path, date: bytes, *storages: bytes) -> Path:
    """What PyTorch's files look like from outside."""
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("model/data.pkl", date)
        for number, storage in enumerate(storages):
            file.writestr(f"model/data/{number}", storage)
    return path


def measured(seconds: float, weights: str, **more: object) -> dict[str, object]:
    return {
        "seconds": seconds,
        "cpu_seconds": 9.0,
        "others": 0.2,
        "accuracy": 0.9,
        "weights": weights,
        **more,
    }


def test_lines_are_those_that_hold_code():
    code = '"""A docstring\n\nof three lines."""\n\n# why\nx = [\n    1,\n]  # one\n\n\ndef f():\n    """Said."""\n    return x\n'
    assert written(code) == 3


def test_every_script_is_there_and_short():
    lines = {peer.name: peer.lines() for peer in PEERS}
    assert lines["this project"] == 1
    assert all(5 < lines[peer.name] < 80 for peer in PEERS if peer.script)
    for peer in PEERS:
        assert not peer.script or "accuracy {" in (HERE / peer.script).read_text()


def test_weights_are_compared_without_what_is_written_beside_them(tmp_path):
    one = pt(tmp_path / "a.pt", b"Monday", b"w", b"b")
    assert weights.digest(one) == weights.digest(pt(tmp_path / "b.pt", b"Friday", b"w", b"b"))
    assert weights.digest(one) != weights.digest(pt(tmp_path / "c.pt", b"Monday", b"w", b"c"))
    many = pt(tmp_path / "d.pt", b"", *map(bytes, range(1, 12)))
    assert weights.digest(many) != weights.digest(one)


def test_a_keras_file_is_compared_by_its_weights(tmp_path):
    digests = set()
    for date in ("Monday", "Friday"):
        with zipfile.ZipFile(tmp_path / f"{date}.keras", "w") as file:
            file.writestr("metadata.json", date)
            file.writestr("model.weights.h5", b"numbers")
        digests.add(weights.digest(tmp_path / f"{date}.keras"))
    assert len(digests) == 1


def test_no_weights_is_an_error_in_a_line(tmp_path):
    (tmp_path / "model.pt").write_text("no archive")
    for name in ("model.pt", "gone.pt"):
        with pytest.raises(PipelineError, match=f"^{name}: cannot be read"):
            weights.digest(tmp_path / name)
    with zipfile.ZipFile(tmp_path / "empty.pt", "w") as file:
        file.writestr("readme", "")
    with pytest.raises(PipelineError, match="no weights in it"):
        weights.digest(tmp_path / "empty.pt")


@pytest.mark.parametrize(
    ("seconds", "digest", "said"),
    [
        (52.0, "a", "12 of 40 s, then the same bytes"),
        (81.0, "b", "41 of 40 s, then other bytes"),
        (39.0, "a", "0 of 40 s, then the same bytes"),
    ],
)
def test_what_a_kill_cost(seconds, digest, said):
    record = {"first": measured(40.0, "a"), "killed": measured(seconds, digest)}
    assert table.killed(record) == said
    assert table.killed({"first": measured(40.0, "a")}) == ""


def test_a_row_has_what_was_measured_and_nothing_else():
    peer = Peer("tool", "model.pt", "a number", ("tool",), "plain_keras.py")
    record = {"key": "k", "version": "1.2", "lines": 7, "first": measured(40.0, "a")}
    row = dict(zip(table.COLUMNS, table.row(peer, record), strict=True))
    assert row["same_bytes"] == row["killed"] == row["accuracy_photos"] == ""
    record |= {"mnist_5k": measured(38.0, "b", others=0.6), "date": "2026-01-01"}
    row = dict(zip(table.COLUMNS, table.row(peer, record), strict=True))
    assert (row["first_model_mnist_5k_s"], row["same_bytes"], row["others"]) == (38.0, "no", 0.6)
    assert table.rows([(peer, record), (PEERS[0], {"key": "k"})]) == [table.row(peer, record)]


def test_the_committed_table_can_be_read():
    text = (REPOSITORY / "reports/peers.csv").read_text("utf-8")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert rows
    assert tuple(rows[0]) == table.COLUMNS
    assert {row["tool"] for row in rows} <= {peer.name for peer in PEERS}
    assert all(row["date"] and row["machine"] for row in rows)


def test_a_run_is_killed_with_what_it_started(tmp_path):
    child = f"{sys.executable} -c 'import time; time.sleep(60)'"
    code = f"import subprocess, time; p = subprocess.Popen(['sh', '-c', \"exec {child}\"]); "
    code += "open('pid', 'w').write(str(p.pid)); time.sleep(60)"
    start = time.monotonic()
    kill_after([sys.executable, "-c", code], tmp_path, tmp_path / "log", 2.0, {})
    assert time.monotonic() - start < 20
    started = int((tmp_path / "pid").read_text())
    until = time.monotonic() + 20
    while psutil.pid_exists(started) and psutil.Process(started).status() != "zombie":
        assert time.monotonic() < until, "what it had started lives on"
        time.sleep(0.05)
    with pytest.raises(PipelineError, match="ended before it was killed"):
        kill_after([sys.executable, "-c", ""], tmp_path, tmp_path / "log", 30.0, {})


def test_a_tool_is_measured_once_and_again_when_its_script_changes(tmp_path, monkeypatch):
    """The real process and its journal; the environment is this one."""
    monkeypatch.setattr("benchmarks.peers.running.HERE", tmp_path)
    monkeypatch.setattr("benchmarks.peers.definition.HERE", tmp_path)
    monkeypatch.setattr(
        "benchmarks.peers.environment.make", lambda folder, packages: Path(sys.executable)
    )
    monkeypatch.setitem(
        __import__("benchmarks.peers.running", fromlist=["SOURCES"]).SOURCES,
        "mnist_5k",
        lambda folder: folder,
    )
    code = "import sys, zipfile\nfile = zipfile.ZipFile('model.pt', 'w')\n"
    code += "file.writestr('m/data/0', sys.argv[3])\nfile.close()\nprint('accuracy 0.7500')\n"
    (tmp_path / "script.py").write_text(code)
    peer = Peer("a tool", "model.pt", "a number", ("numpy",), "script.py")
    peers = Peers(tmp_path / "out", Repository(REPOSITORY), "c" * 40, 5)
    peers.measure(peer, "first")
    kept = tmp_path / "out/a-tool.json"
    found = json.loads(kept.read_text())
    assert found["first"]["accuracy"] == 0.75
    assert found["lines"] == 5
    peers.measure(peer, "first")
    assert json.loads(kept.read_text()) == found
    with (
        FileLock(tmp_path / "out/a-tool.lock"),
        pytest.raises(PipelineError, match="another process measures it here"),
    ):
        peers.measure(peer, "killed")
    (tmp_path / "script.py").write_text(code + "# another\n")
    assert "first" not in peers.record(peer)


def test_an_unknown_tool_is_said(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["peers", "--only", "fastia"])
    with pytest.raises(PipelineError, match="unknown tool; did you mean fastai"):
        main()
