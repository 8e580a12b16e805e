"""Experiments on a Ray cluster: each in a seat on whatever node has room, and then home.

This process starts, ends and collects; what runs on a node is `seat` and
`remote`, with this machine's code of `tools` and `pipeline`. Nothing but this
file and `connection` know Ray, which is imported when the engine is entered.
"""

import contextlib
import shutil
import tempfile
import threading
import time
from pathlib import Path
from typing import IO, Any, Self

from pipeline.errors import PipelineError
from pipeline.runtime import files, paths
from pipeline.runtime.stage import say
from pipeline.tracking.sanitize import one_line
from pipeline.tracking.store import is_server, tracking_uri
from tools.experiments import connection, pruned
from tools.experiments.clone import cache_folder
from tools.experiments.engine import End, Ended, Watcher
from tools.experiments.experiment import Experiment
from tools.experiments.file import Resources
from tools.experiments.job import Job, job_of
from tools.experiments.repository import Repository
from tools.experiments.runner import MOST_JOBS
from tools.experiments.seat import Place, Seat, Step

TRIES = 4  # of an experiment whose node dies
POLL_SECONDS = 0.5
KNOCK_SECONDS, KNOCKS = 5.0, 4  # Ray itself ends this process after a minute, without a word


class EndedEarlyError(Exception):
    """An experiment is ended before it has begun."""


class RayCluster:
    """An engine on the cluster at `address`: `auto`, or HOST:PORT.

    `jobs` experiments at a time, or as many as have room when it is entered.

    Raises:
        PipelineError: Ray is not installed, there is no such cluster, no node
            of it is large enough; later: the cluster is lost.
    """

    def __init__(
        self,
        command: str,
        name: str,
        address: str,
        jobs: int | None,
        repository: Repository,
        commit: str,
        resources: Resources,
        threads: int,
    ) -> None:
        self.jobs = jobs or 1
        self._wanted = jobs
        self._command = command
        self._repository = repository
        self._commit = commit
        self._name = name
        self._address = address
        self._cpu, self._gpu = resources.cpu or threads, resources.gpu
        self._base = repository.base(commit)
        self._bundle: Any = None
        self._turn = threading.Lock()
        self._told: set[str] = set()
        self._lost = threading.Event()
        self._left = threading.Event()

    def __enter__(self) -> Self:
        self._ray, self._head = connection.connect(self._address)
        try:
            self._cache = cache_folder(self._repository.root)
            self._job = job_of(self._repository, self._commit, self._name)
            room = self._room()
            self.jobs = self._wanted or min(room, MOST_JOBS)
            say(self._command, f"{room} have room at a time on the cluster, {self.jobs} will run")
            self._seats = self._ray.remote(Seat)
            threading.Thread(target=self._knock, daemon=True).start()
        except BaseException:
            self._ray.shutdown()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._left.set()
        with connection.captured([]):
            self._ray.shutdown()
        if kind is None:
            for clone in paths.state().glob(f"sweeps/{self._name}/*-worker-*"):
                shutil.rmtree(clone, ignore_errors=True)

    def run(self, experiment: Experiment, log: Path, watch: Watcher) -> Ended:
        """See `engine.Engine`."""
        start = time.monotonic()
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            for left in reversed(range(TRIES)):
                try:
                    failure = self._try(experiment, output, watch)
                except self._ray.exceptions.RayActorError:
                    failure = f"its node died, for the {TRIES}th time"
                    if not self._job.recorded_here:
                        pruned.mark(experiment.name, "its node died", pruned=False)
                    if left:
                        say(self._command, f"{experiment.name}: its node died; starting it again")
                        continue
                except EndedEarlyError as ending:
                    failure = str(ending)
                except self._ray.exceptions.RayError as error:
                    failure = one_line(getattr(error, "cause", None) or error)
                break
        return Ended(failure, time.monotonic() - start)

    def _try(self, experiment: Experiment, log: IO[bytes], watch: Watcher) -> str | None:
        """Run it in a seat of its own; None after success, else why not."""
        while not connection.answers(self._head):  # Ray would wait without end for a new seat
            self._check()
            time.sleep(POLL_SECONDS)
        params = self._base.written(experiment.parameters)
        job = Job(**{**vars(self._job), "name": experiment.name, "params": params})
        seat = self._seats.options(num_cpus=self._cpu, num_gpus=self._gpu).remote(job)
        try:
            place: Place = self._get(seat.place.remote(), watch)
            self._tell(place)
            bundle = None if place.known else self._whole()
            self._get(seat.start.remote(place, bundle))
            end: End | None = None
            while True:
                step: Step = self._get(seat.step.remote(end))
                log.write(step.log)
                log.flush()
                if step.ended:
                    break
                end = end or watch(step.rows)
            if end or step.ended.failure is not None:
                return end.reason if end else step.ended.failure
            for path in step.outs:
                self._bring(seat, Path(step.cache), path)
            with tempfile.NamedTemporaryFile(suffix=".bundle") as bundle_file:
                bundle_file.write(self._get(seat.bundle.remote()))
                bundle_file.flush()
                self._repository.collect(Path(bundle_file.name), self._commit)
            self._get(seat.leave.remote())
            return None
        finally:
            with contextlib.suppress(Exception):
                self._ray.kill(seat)

    def _get(self, reference: Any, watch: Watcher | None = None) -> Any:
        while not self._ray.wait([reference], timeout=POLL_SECONDS)[0]:
            self._check()
            if watch and (end := watch([])):
                raise EndedEarlyError(end.reason)
        return self._ray.get(reference)

    def _bring(self, seat: Any, cache: Path, path: str) -> None:
        """Copy a file of a node's DVC cache into the repository's."""
        target = self._cache / path
        with self._turn:  # another experiment may bring the same data
            if target.exists():
                return
            with files.atomic(target) as partial, partial.open("wb") as file:
                while part := self._get(seat.part.remote(str(cache / path), file.tell())):
                    file.write(part)
                partial.chmod(0o444)  # as DVC keeps them

    def _whole(self) -> Any:
        """The commit with its history, in the cluster's memory once for all nodes."""
        with self._turn:
            if self._bundle is None:
                with tempfile.TemporaryDirectory() as folder:
                    path = Path(folder) / "commit.bundle"
                    self._repository.bundle(path, self._commit)
                    self._bundle = self._ray.put(path.read_bytes())
        return self._bundle

    def _room(self) -> int:
        """How many experiments have room at a time."""
        nodes = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        room = 0
        for node in nodes:
            cpus, gpus = node.get("CPU", 0) // self._cpu, node.get("GPU", 0)
            room += int(min(cpus, gpus // self._gpu) if self._gpu else cpus)
        if not room:
            has = ", ".join(f"{n.get('CPU', 0):.0f} and {n.get('GPU', 0):.0f}" for n in nodes)
            raise PipelineError(
                f"resources: cpu: {self._cpu}, gpu: {self._gpu}: no node of the cluster has so "
                f"many (they have {has}); ask for less (`cpu` is `threads` where it is left out)"
            )
        return room

    def _tell(self, place: Place) -> None:
        """Say once what becomes of the record of experiments on other machines."""
        here = place.shared and place.host == self._job.host
        uri = tracking_uri()
        local = is_server(uri) and any(name in uri for name in ("//localhost", "//127."))
        with self._turn:
            if here or self._told or not (local or self._job.recorded_here):
                return
            self._told.add(place.host)
        say(
            self._command,
            "MLflow's store is this machine's alone: other nodes keep their runs in files of "
            "their own, and `make compare` reads what DVC has; with MLFLOW_TRACKING_URI of a "
            "server that all reach there is one record"
            if self._job.recorded_here
            else "MLFLOW_TRACKING_URI is an address of this machine alone, and other nodes record "
            "nothing; give it the address that they know",
        )

    def _check(self) -> None:
        if self._lost.is_set():
            raise PipelineError(
                f"the cluster at {self._address} is lost; what was finished stands, and the same "
                "command goes on when it is back"
            )

    def _knock(self) -> None:
        """See that the cluster's head answers."""
        missed = 0
        while missed < KNOCKS and not self._left.wait(KNOCK_SECONDS):
            missed = 0 if connection.answers(self._head) else missed + 1
        if not self._left.is_set():
            self._lost.set()
