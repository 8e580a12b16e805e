"""The workers of a training in parallel as Ray Train places them: a worker a node.

Ray is imported here alone, and only where it was asked for. It starts a process of
`pipeline.training.worker` on each node, as the stage does on one machine, and starts all
of them again when one is lost. They meet in two folders that every node must have under
the same path: the workspace, and the resume folder, which has the checkpoints.
"""

import importlib.util
import logging
import os
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.errors import PipelineError
from pipeline.parameters.parallel import PLACE
from pipeline.training import worker

POLL_SECONDS = 0.5
# What the workers' processes are told of this one's environment.
PASSED_ON = ("DVC_ROOT", "IMAGE_PIPELINE_", "JAX_", "KERAS_BACKEND", "PYTHONPATH", "TF_", "XLA_")


def train(
    replicas: int,
    folder: Path,
    run_id: str | None,
    restarts: int,
    look: Callable[[], None],
) -> None:
    """Train on Ray's workers, to the end.

    Args:
        folder: the resume folder.
        restarts: how often Ray starts all workers again.
        look: called now and then; what it raises ends the training.

    Raises:
        PipelineError: there is no Ray, no cluster, or not enough of it; the workers
            die again and again.
    """
    if importlib.util.find_spec("ray") is None:
        raise PipelineError(f'{PLACE}: ray is not installed; type `make setup EXTRA="jax scale"`')
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray

    try:
        ray.init(address=os.environ.get("RAY_ADDRESS", "auto"), logging_level=logging.WARNING)
    except (ConnectionError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise PipelineError(
            f"{PLACE}: no cluster of Ray can be reached ({reason[:200]}); start one on every "
            "node with `ray start`, or name it in RAY_ADDRESS"
        ) from None
    try:
        kind = "GPU" if ray.cluster_resources().get("GPU") else "CPU"
        there = int(ray.cluster_resources().get(kind, 0))
        if there < replicas:
            raise PipelineError(
                f"replicas: {replicas} of them need as many {kind}s, and Ray's cluster has {there}"
            )
        _fit(_trainer(replicas, kind, folder, run_id, restarts), look)
    finally:
        ray.shutdown()


def _trainer(replicas: int, kind: str, folder: Path, run_id: str | None, restarts: int) -> Any:
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer

    options = [worker.__name__, str(folder), "--processes", str(replicas)]
    options += ["--run-id", run_id] if run_id else []
    passed_on = {name: value for name, value in os.environ.items() if name.startswith(PASSED_ON)}
    # Nested, so that Ray sends it whole: no node needs our code before its process has it.
    workspace = str(Path.cwd())

    def on_a_node() -> None:
        import socket
        import sys

        import ray.train.collective

        rank = ray.train.get_context().get_world_rank()
        host = ray.util.get_node_ip_address()
        with socket.socket() as taken:
            taken.bind((host, 0))
            own = f"{host}:{taken.getsockname()[1]}"
        address = ray.train.collective.broadcast_from_rank_zero(own)
        command = [sys.executable, "-m", *options, "--rank", str(rank)]
        command += ["--host", host, "--address", address]
        with subprocess.Popen(
            command,
            cwd=workspace,
            env={**os.environ, **passed_on},
            stdin=subprocess.PIPE,  # it ends when this process does
            stdout=None if rank == 0 else subprocess.DEVNULL,
        ) as process:
            status = process.wait()
        if status and not (Path(folder) / worker.REFUSAL).exists():
            raise RuntimeError(f"worker {rank} on {host} ended with status {status}")

    return DataParallelTrainer(
        on_a_node,
        scaling_config=ScalingConfig(
            num_workers=replicas,
            use_gpu=kind == "GPU",
            resources_per_worker={kind: 1},
            placement_strategy="SPREAD",
        ),
        run_config=RunConfig(
            name="train",
            storage_path=str(folder / "ray"),
            failure_config=FailureConfig(max_failures=restarts),
        ),
    )


def _fit(trainer: Any, look: Callable[[], None]) -> None:
    """Let Ray train on a thread, and look at what it does meanwhile."""
    failed: list[BaseException] = []

    def fit() -> None:
        try:
            trainer.fit()
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=fit, daemon=True)
    thread.start()
    while thread.is_alive():
        look()
        time.sleep(POLL_SECONDS)
    look()
    if failed:
        reason = " ".join(str(failed[0]).split())
        raise PipelineError(f"{PLACE}: Ray gave up: {reason[:300]}")
