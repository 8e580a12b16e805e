"""An experiment's place on a cluster's node: starts its process there, and hands on what it says.

A Ray actor (see `cluster`), of which nothing here knows: the experiment runs in
a process of its own (`remote`), which ends in order when this one dies.
"""

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from pipeline.runtime.downloader import cache_folder
from pipeline.runtime.git import tried
from tools.experiments.engine import End, Ended, Rows
from tools.experiments.job import Job

PART = 1 << 25  # bytes of a file that go home at a time
STEP_SECONDS = 0.3


@dataclass(frozen=True)
class Place:
    """A node; `shared`: it sees the repository's own folder; `known`: it has the commit."""

    host: str
    root: str
    shared: bool
    known: bool


@dataclass(frozen=True)
class Step:
    """What is new: printed bytes, all epochs so far, how it ended. `outs` (paths below DVC's
    cache `cache`) are what the experiment's outs consist of, unless DVC's remote has them."""

    log: bytes
    rows: Rows
    ended: Ended | None
    cache: str
    outs: list[str]


class Seat:
    def __init__(self, job: Job) -> None:
        self._job = job
        self._said: dict = {}
        self._read = 0

    def place(self) -> Place:
        """Where this is."""
        job, root = self._job, Path(self._job.root)
        mark = job.folder(root) / "token"
        shared = mark.is_file() and mark.read_text() == job.token
        if not shared:
            origin = hashlib.sha256(f"{job.host}:{job.root}".encode()).hexdigest()[:8]
            root = cache_folder() / "nodes" / f"{root.name}-{origin}"
        known = shared or tried(root, "cat-file", "-e", job.commit) is not None
        return Place(platform.node(), str(root), shared, known)

    def start(self, place: Place, bundle: bytes | None) -> None:
        """Start the experiment; `bundle`: the commit, for a node that does not have it."""
        job = self._job
        self._folder = Path(tempfile.mkdtemp(prefix="experiment-"))
        if bundle is not None:
            (self._folder / "commit.bundle").write_bytes(bundle)
        here = {**os.environ, **job.variables, "DVC_ROOT": place.root}
        if "OMP_NUM_THREADS" not in job.variables:
            here.pop("OMP_NUM_THREADS", None)  # Ray's; the parameter `threads` decides
        if job.recorded_here and (not place.shared or place.host != job.host):
            here["MLFLOW_TRACKING_URI"] = f"sqlite:///.state/{place.host}.db"
        with self._log.open("wb") as log:
            # -P: what the cluster was given, not what lies where Ray was started.
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "tools.experiments.remote"],
                env=here,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                encoding="utf-8",
                start_new_session=True,
            )
        asked = asdict(job) | {"variables": {}}
        self._tell({"job": asked, "place": asdict(place), "folder": str(self._folder)})
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def step(self, end: End | None) -> Step:
        """Wait a moment and say what is new; `end` ends the experiment."""
        if end:
            self._tell(asdict(end))
        self._listener.join(STEP_SECONDS)
        over = not self._listener.is_alive()
        with self._log.open("rb") as log:
            log.seek(self._read)
            printed = log.read(PART)
        self._read += len(printed)
        ended = None
        if over and len(printed) < PART:
            died = {"failure": "its process died on the node", "seconds": 0.0}
            ended = Ended(**self._said.get("ended", died))
        rows, outs = self._said.get("rows", []), self._said.get("outs", [])
        return Step(printed, rows, ended, self._said.get("cache", ""), outs)

    def bundle(self) -> bytes:
        """The finished experiment, as `Repository.collect` takes it."""
        return (self._folder / "experiment.bundle").read_bytes()

    def part(self, path: str, offset: int) -> bytes:
        """A part of a file; empty behind its end."""
        with Path(path).open("rb") as file:
            file.seek(offset)
            return file.read(PART)

    def leave(self) -> None:
        """Remove what was needed here alone."""
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def _log(self) -> Path:
        return self._folder / "log"

    def _tell(self, what: dict) -> None:
        assert self._process.stdin
        try:
            print(json.dumps(what), file=self._process.stdin, flush=True)
        except BrokenPipeError:  # it has just ended
            time.sleep(STEP_SECONDS)

    def _listen(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self._said |= json.loads(line)
