"""The folder .state: what killed stages, sweeps and benchmarks have left and nobody will use.

Whoever works holds a lock there. Those are asked first, and while one is held
nothing is removed.
"""

import json
import shutil
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout

from pipeline.errors import PipelineError
from pipeline.runtime import paths
from pipeline.runtime.resume import ABANDONED_SECONDS
from tools.cleaning.waste import Waste, size
from tools.experiments import processes

LOCKS = ("locks/*.lock", "sweeps/*/lock", "benchmark/lock")


def check_idle() -> None:
    """See that nothing runs in the repository.

    Raises:
        PipelineError: what does, with its process where that is known.
    """
    state = paths.state()
    locks = [path for pattern in LOCKS for path in state.glob(pattern)]
    for lock in sorted(locks):
        if _is_held(lock):
            raise PipelineError(
                f"{lock.relative_to(paths.root())}: held by a process that runs here; wait for "
                "it, or end it"
            )
    for process in processes.below(paths.root()):
        words = [Path(word).name for word in process.cmdline()]
        if any(word == "dvc" or word.startswith("stages.") for word in words):
            raise PipelineError(
                f"process {process.pid} runs here ({' '.join(words[:5])}); wait for it, or end it"
            )


def unused() -> list[Waste]:
    """Abandoned resume files; clones and logs of sweeps and of the benchmark."""
    state = paths.state()
    old = [path for path in state.glob("resume/*") if _age(path) > ABANDONED_SECONDS]
    sweeps, bench = state / "sweeps", state / "benchmark"
    clones = [*sweeps.glob("*/*worker-*"), *bench.glob("workspaces/*")]
    logs = [*sweeps.glob("*/logs"), *bench.glob("logs")]
    served = [path for path in state.glob("serving/*") if _age(path) > ABANDONED_SECONDS]
    kinds = (
        ("models for ONNX Runtime that nobody has served in two weeks", served),
        ("resume folders that nobody asked for in two weeks", old),
        ("clones that a sweep or a benchmark left", clones),
        ("folders of logs", logs),
    )
    return [Waste(what, len(found), size(found), partial(_remove, found)) for what, found in kinds]


def runs_to_resume() -> set[str]:
    """The MLflow runs that a killed training would go on with, by their ids."""
    found = set()
    for path in paths.state().glob("resume/*/*.npz"):
        try:
            with np.load(path, allow_pickle=False) as arrays:
                found.add(json.loads(arrays["progress"].tobytes())["run_id"])
        except (OSError, ValueError, KeyError):  # of weights alone, or cut off
            continue
    return found


def _remove(found: Sequence[Path]) -> None:
    for path in found:
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def _age(path: Path) -> float:
    return time.time() - path.stat().st_mtime


def _is_held(path: Path) -> bool:
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    lock.release()
    return False
