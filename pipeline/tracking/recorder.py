"""The recorder: MLflow in a process of its own, beside the stage.

MLflow takes two seconds to import and to open its store. In that time a stage
imports TensorFlow or draws its figures, on another core; a thread would not do,
for imports share Python's lock.

    recorder.open_early()              first of all: the two seconds begin
    record = recorder.start_run(...)   and what else `pipeline.tracking` has,
    record.log_epoch(...)              under the same names

A request is a line of JSON on the process's standard input, its answer a line on
its standard output (`pipeline.tracking.worker` is the other end). Ctrl-C is the
stage's alone; when the stage ends, however it does, the input ends, and so does
the process.
"""

import atexit
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.runtime.stage import say

if TYPE_CHECKING:
    import numpy as np

ROOT = Path(__file__).parents[2]
CLOSE_SECONDS = 30  # for a request that Ctrl-C left under way


class RemoteRecord:
    """The run that the recorder works on, or nothing; see `pipeline.tracking.record.Record`."""

    def __init__(self, recorder: "_Recorder", run_id: str | None) -> None:
        self._recorder = recorder
        self.run_id = run_id

    def log_epoch(self, epoch: int, row: Mapping[str, float]) -> None:
        self._ask("log_epoch", epoch, _floats(row))

    def log_metrics(self, values: Mapping[str, float]) -> None:
        self._ask("log_metrics", _floats(values))

    def log_scores(self, summary: Mapping[str, Any]) -> None:
        """Log what reports/metrics.json says of the test: {"weighted": {"f1": 1}} is
        `test_weighted_f1`."""
        flat: dict[str, float] = {}
        for name, value in summary.items():
            nested = value.items() if isinstance(value, Mapping) else [(None, value)]
            flat |= {f"test_{name}_{key}" if key else f"test_{name}": v for key, v in nested}
        self.log_metrics(flat)

    def log_tags(self, tags: Mapping[str, str]) -> None:
        self._ask("log_tags", dict(tags))

    def log_artifact(self, path: Path, folder: str = "") -> None:
        """Raises FileNotFoundError where there is nothing at `path`."""
        if not path.exists():
            raise FileNotFoundError(f"{path}: no such file to record")
        self._ask("log_artifact", str(path), folder)

    def log_model(self, path: Path, example: "np.ndarray", classes: list[str]) -> None:
        self._ask("log_model", str(path), example.tolist(), classes)

    def finish(self) -> None:
        self._ask("finish")

    def _ask(self, method: str, *arguments: Any) -> None:
        if self.run_id is not None:
            self._recorder.ask(method, *arguments)


def open_early() -> None:
    """Start the recorder, which opens the store while the caller goes on."""
    _recorder()


def start_run(
    parameters: Mapping[str, Any], tags: Mapping[str, str], resume: str | None = None
) -> RemoteRecord:
    """As `pipeline.tracking.runs.start_run`."""
    asked = _recorder()
    return RemoteRecord(asked, asked.ask("start_run", dict(parameters), dict(tags), resume))


def attach_run(model_digest: str) -> RemoteRecord:
    """As `pipeline.tracking.runs.attach_run`."""
    asked = _recorder()
    return RemoteRecord(asked, asked.ask("attach_run", model_digest))


def known_scores(model: str, data: str) -> dict[str, float]:
    """As `pipeline.tracking.runs.known_scores`."""
    return dict(_recorder().ask("known_scores", model, data) or {})


def record_failure(stage: str, message: str) -> None:
    """As `pipeline.tracking.runs.record_failure`; never raises."""
    with contextlib.suppress(BaseException):
        _recorder().ask("record_failure", stage, message)


def _floats(values: Mapping[str, float]) -> dict[str, float]:
    return {name: float(value) for name, value in values.items()}


class _Recorder:
    """The stage's end: the process, and one request after the other."""

    def __init__(self) -> None:
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "pipeline.tracking.worker", str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env=os.environ | {"PYTHONPATH": path},
            process_group=0,
        )
        self._sent = 0
        self._lost = False
        atexit.register(self._close)

    def ask(self, name: str, *arguments: Any) -> Any:
        """The answer; None, after one line that says so, where the process is gone.

        Raises:
            RuntimeError: a bug in the recorder, with its traceback.
        """
        if self._lost:
            return None
        assert self._process.stdin is not None
        self._sent += 1
        try:
            self._process.stdin.write(json.dumps([self._sent, name, arguments]) + "\n")
            self._process.stdin.flush()
            answer = self._answer()
        except (OSError, EOFError):
            self._lost = True
            say("mlflow", "recording ends here: its process is gone; the run continues without it")
            return None
        if answer["error"]:
            raise RuntimeError(f"the recorder failed:\n{answer['error']}")
        return answer["value"]

    def _answer(self) -> dict[str, Any]:
        """The answer to the last request; those that Ctrl-C left unread stand before it."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            answer: dict[str, Any] = json.loads(line)
            print(answer["printed"], end="", flush=True)
            if answer["number"] == self._sent:
                return answer
        raise EOFError

    def _close(self) -> None:
        with contextlib.suppress(OSError):
            assert self._process.stdin is not None
            self._process.stdin.close()
        try:
            self._process.wait(CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()


@cache
def _recorder() -> _Recorder:
    return _Recorder()
