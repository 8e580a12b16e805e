"""What is measured of a tool: two runs on the digits, a killed one, one on the photographs.

Every value is kept in the tool's JSON file as soon as it is there, so that the same
command goes on after a kill. What is asked otherwise is measured anew.
"""

import contextlib
import hashlib
import json
import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock, Timeout

from benchmarks import machine, measuring
from benchmarks.peers import environment, images, weights
from benchmarks.peers.definition import HERE, SIZES, Peer
from pipeline.errors import PipelineError
from pipeline.runtime import files
from pipeline.runtime.git import git
from pipeline.runtime.stage import say
from tools.experiments import processes
from tools.experiments.clone import make_clone
from tools.experiments.repository import Repository

DIGITS, PHOTOS = SIZES
# In this order, the digits of all tools before any photograph.
RUNS = ("first", "killed", DIGITS, PHOTOS)
SOURCES: dict[str, Callable[[Path], Path]] = {DIGITS: images.digits, PHOTOS: images.photographs}
# Nobody asks an address that cannot be reached, and no picture wants a window.
VARIABLES = {
    "HF_HUB_OFFLINE": "1",
    "MPLBACKEND": "Agg",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "YOLO_OFFLINE": "true",
}
Record = dict[str, Any]
# Of this project's commit, what decides a measurement.
RUN = ("stages", "pipeline", "dvc.yaml", "params.yaml")


class Peers:
    """Measures tools in `folder`; this project as it is in `commit`."""

    def __init__(self, folder: Path, repository: Repository, commit: str, epochs: int) -> None:
        self.folder = folder
        self.repository = repository
        self.commit = commit
        self.epochs = epochs

    def record(self, peer: Peer) -> Record:
        """What has been measured of a tool as it is asked for now."""
        path = self._path(peer)
        found = files.read_json(path) if path.exists() else {}
        return found if found.get("key") == self._key(peer) else {"key": self._key(peer)}

    def forget(self, peer: Peer) -> None:
        """Let all of a tool be missing."""
        self._path(peer).unlink(missing_ok=True)

    def measure(self, peer: Peer, name: str) -> None:
        """Measure one of RUNS, if it is missing and the tool has it.

        Raises:
            PipelineError: it does not install, a run fails, or another process measures it here.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self._path(peer).with_suffix(".lock"), timeout=0):
                self._missing(peer, name)
        except Timeout:
            raise PipelineError("another process measures it here; wait for it") from None

    def _missing(self, peer: Peer, name: str) -> None:
        record = self.record(peer)
        if name in record or (name if name in SIZES else DIGITS) not in peer.data():
            return
        python = Path(sys.executable)
        if peer.packages:
            python = environment.make(self.folder / "environments" / _slug(peer), peer.packages)
            record["version"] = environment.version(python, peer.packages[0])
        else:
            record["version"] = self.commit[:7]
        record["lines"] = peer.lines()
        if name == "killed" and "first" not in record:  # its script has changed since
            self._one(peer, python, "first", record)
        self._one(peer, python, name, record)
        record["date"] = datetime.now(UTC).date().isoformat()
        record["machine"] = machine.in_words(machine.description())
        files.write_json(self._path(peer), record)

    def _one(self, peer: Peer, python: Path, name: str, record: Record) -> None:
        data = name if name in SIZES else DIGITS
        source = SOURCES[data](self.folder / "images" / data)
        work = self.folder / "runs" / _slug(peer)
        self._fresh(peer, work)
        command = self._command(peer, python, data, source)
        log = self.folder / "logs" / f"{_slug(peer)}-{name}.log"
        after = 0.0
        more = VARIABLES | {"YOLO_CONFIG_DIR": str(self.folder / "environments")}
        if name == "killed":
            after = record["first"]["seconds"] / 2
            kill_after(command, work, log, after, more)
        measured = measuring.run(command, work, log, more)
        accuracy = measured.accuracy
        if accuracy is None:
            accuracy = files.read_json(work / "reports" / "metrics.json")["accuracy"]
        record[name] = {
            "seconds": round(after + measured.seconds, 1),
            "cpu_seconds": round(measured.cpu_seconds, 1),
            "others": round(measured.others, 2),
            "accuracy": round(accuracy, 4),
            "weights": weights.digest(work / peer.weights),
        }
        say("peers", f"{peer.name}: {name}: {record[name]['seconds']} s")

    def _fresh(self, peer: Peer, work: Path) -> None:
        """An empty folder; for this project a clone that has run nothing."""
        files.fresh_folder(work)
        if not peer.packages:
            make_clone(self.repository, work, self.commit, work / ".dvc" / "cache")

    def _command(self, peer: Peer, python: Path, data: str, source: Path) -> list[str]:
        if peer.script:
            script = str(HERE / peer.script)
            return [str(python), script, str(source), str(SIZES[data]), str(self.epochs)]
        line = dict(peer.commands)[data].format(
            data=shlex.quote(str(source)), size=SIZES[data], epochs=self.epochs
        )
        return [str(python), "-m", *shlex.split(line)]

    def _path(self, peer: Peer) -> Path:
        return self.folder / f"{_slug(peer)}.json"

    def _key(self, peer: Peer) -> str:
        """A digest of what is asked, and of the code: the script, or the commit's stages."""
        if peer.script:
            code = (HERE / peer.script).read_text("utf-8")
        else:
            trees = [f"{self.commit}:{path}" for path in RUN]
            code = git(self.repository.root, "rev-parse", *trees)
        text = json.dumps([peer.packages, peer.commands, code, self.epochs, SIZES])
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def kill_after(
    command: Sequence[str], folder: Path, log: Path, seconds: float, more: Mapping[str, str]
) -> None:
    """Start a command, and end it and all that it started, as a power cut would.

    Raises:
        PipelineError: it had ended by itself.
    """
    with log.open("a", encoding="utf-8") as output:
        process = subprocess.Popen(
            [*command],
            cwd=folder,
            env=measuring.variables(more),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            return
        finally:
            for each in processes.family(process.pid):
                with contextlib.suppress(psutil.NoSuchProcess):
                    each.kill()
            process.wait()
    raise PipelineError(f"it had ended before it was killed, after {seconds:.0f} s")


def _slug(peer: Peer) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in peer.name.lower())
