"""Our server and MLflow's, of the same registered model, each for a `with` block."""

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from pipeline.errors import PipelineError
from pipeline.tracking import store
from tools import server

START_SECONDS = 300
READY = "Ctrl-C ends it"


@dataclass(frozen=True)
class Running:
    """A server that answers at `address`; `said` is what it printed."""

    name: str
    address: str
    process: int
    said: Path

    def memory(self) -> int:
        """Resident bytes of all its processes, each page counted once (Linux's PSS)."""
        return sum(one.memory_full_info().pss for one in self._all())

    def processor_seconds(self) -> float:
        """Of all its processes that live."""
        return sum(sum(one.cpu_times()[:2]) for one in self._all())

    def workers(self) -> list[int]:
        return [one.pid for one in self._all()[1:]]

    def _all(self) -> list[psutil.Process]:
        top = psutil.Process(self.process)
        return [top, *top.children(recursive=True)]


@contextmanager
def ours(folder: Path, *options: str) -> Iterator[Running]:
    """`python -m tools.serve`; the folder is for what it prints."""
    port = server.free_port(None, 5200)
    command = [sys.executable, "-m", "tools.serve", "--port", str(port), *options]
    with _started("ours", command, port, folder) as running:
        until = time.monotonic() + START_SECONDS
        while READY not in running.said.read_text() and time.monotonic() < until:
            time.sleep(0.1)  # one worker answers, the others are starting
        yield running


@contextmanager
def mlflows(folder: Path, model: str) -> Iterator[Running]:
    """`mlflow models serve` of a registered model's address, models:/NAME/VERSION."""
    port = server.free_port(None, 5300)
    command = [sys.executable, "-m", "mlflow", "models", "serve", "--model-uri", model]
    command += ["--env-manager", "local", "--host", server.HOST, "--port", str(port)]
    with _started("mlflow models serve", command, port, folder) as running:
        yield running


@contextmanager
def _started(name: str, command: Sequence[str], port: int, folder: Path) -> Iterator[Running]:
    environment = {
        **os.environ,
        # MLflow finds uvicorn there, in an environment that is not activated.
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
        "MLFLOW_TRACKING_URI": store.tracking_uri(),
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    said = folder / f"{name.split()[0]}.log"
    with said.open("w") as log:
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    address = f"http://{server.HOST}:{port}"
    try:
        _wait(process, f"{address}/ping", said)
        yield Running(name, f"{address}/invocations", process.pid, said)
    finally:
        below = psutil.Process(process.pid).children(recursive=True)
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(60)
        for one in below:
            with suppress(psutil.NoSuchProcess):
                one.kill()
        process.kill()
        process.wait()


def _wait(process: subprocess.Popen[bytes], address: str, said: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            urllib.request.urlopen(address, timeout=30).close()  # nosec B310: http, our own
            return
        except OSError:
            time.sleep(0.3)
    last = (said.read_text(errors="replace").strip().splitlines() or ["no message"])[-1]
    raise PipelineError(f"{said.stem}: does not answer: {last}")
