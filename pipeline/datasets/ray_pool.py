"""Tasks done by a Ray cluster, their results in the order of the tasks.

The nodes share the folder of the repository and that of the data. A task whose
worker or node dies is done again elsewhere. Ray finds the cluster by RAY_ADDRESS,
or one that was started on this machine.
"""

import os
import signal
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Self, TypeVar

from pipeline.datasets.pool import VARIABLE, Task, run
from pipeline.errors import PipelineError, ProcessKilledError
from pipeline.runtime import paths, source

T = TypeVar("T")

# How often a task is done again whose worker dies: one that is killed for want of memory is
# so every time.
RETRIES = 5
NODE_SECONDS = 120
# What a worker has to know of this process; no secrets, for Ray shows them.
PASSED_ON = ("KERAS_BACKEND", "TF_CPP_MIN_LOG_LEVEL", "TF_ENABLE_ONEDNN_OPTS")


class RayWorkers:
    """A connection to the cluster, for the `with` block; as `pipeline.datasets.pool.Workers`.

    Raises:
        PipelineError: Ray is not installed, there is no cluster, or a node does not see
            the folders.
    """

    def __init__(self, threads: int) -> None:
        self._threads = threads

    def __enter__(self) -> Self:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            import ray
        except ImportError:
            raise PipelineError(
                f"{VARIABLE}: ray is not installed; type `make setup EXTRA=scale`"
            ) from None
        self._ray: Any = ray
        ended = signal.getsignal(signal.SIGTERM)
        known = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        try:
            self._ray.init(
                address=os.environ.get("RAY_ADDRESS") or "auto",
                log_to_driver=False,
                logging_level="ERROR",
                runtime_env={"env_vars": {**known, "PYTHONPATH": str(source.ROOT)}},
            )
        except Exception as error:  # of many kinds: no cluster, another version, a wrong token
            why = " ".join(str(error).split()).split(". ")[0]
            raise PipelineError(
                f"{VARIABLE}: no Ray cluster ({type(error).__name__}: {why}); "
                "start one (docs/scale.md), or name it in RAY_ADDRESS"
            ) from None
        signal.signal(signal.SIGTERM, ended)  # Ray has put its own there
        try:
            self._check_nodes()
        except BaseException:
            self._ray.shutdown()
            raise
        return self

    def __exit__(self, *failure: object) -> None:
        self._ray.shutdown()  # what is under way ends with the connection

    def run(self, tasks: Iterable[Task[T]]) -> Iterator[T]:
        """The tasks' results, in the order of the tasks; two a processor are under way.

        Raises:
            ProcessKilledError: a task's worker died again and again.
        """
        nodes = [node["Resources"].get("CPU", 0) for node in self._ray.nodes() if node["Alive"]]
        each = min(self._threads, max(nodes))  # more than any node has would wait for ever
        remote = self._ray.remote(run).options(
            num_cpus=each, max_retries=RETRIES, scheduling_strategy="SPREAD"
        )
        most = 2 * max(1, int(sum(nodes) // max(1, each)))
        under_way: deque[Any] = deque()
        for task in tasks:
            under_way.append(remote.remote(task))
            if len(under_way) >= most:
                yield self._result(under_way.popleft())
        while under_way:
            yield self._result(under_way.popleft())

    def _result(self, reference: Any) -> Any:
        from ray import exceptions

        try:
            return self._ray.get(reference)
        except exceptions.RayTaskError as error:
            raise (error.cause or error) from None
        except exceptions.RayError as error:
            raise ProcessKilledError(
                f"the Ray cluster lost a task {RETRIES + 1} times ({type(error).__name__}; too "
                "little memory?); `dvc repro` resumes from here"
            ) from None

    def _check_nodes(self) -> None:
        """Refuse a cluster of which a node has another file system: it would find nothing."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        def sees(*names: str) -> bool:  # sent by its value, for the node may not have our code
            return all(os.path.exists(name) for name in names)  # noqa: PTH110

        mark = paths.state() / f"pool-{os.getpid()}"
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()
        try:
            code = Path(source.__file__)
            asked = {
                node["NodeManagerAddress"]: self._ray.remote(sees)
                .options(
                    num_cpus=0,
                    scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=True),
                )
                .remote(str(mark), str(code), str(Path.cwd()))
                for node in self._ray.nodes()
                if node["Alive"]
            }
            for address, answer in asked.items():
                if not self._ray.get(answer, timeout=NODE_SECONDS):
                    raise PipelineError(
                        f"{VARIABLE}: the Ray node {address} does not see {paths.root()}; "
                        "that folder has to be shared by all nodes (NFS, say)"
                    )
        finally:
            mark.unlink(missing_ok=True)
