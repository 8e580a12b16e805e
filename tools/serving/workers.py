"""The processes of the server: as many as asked, on one socket, each replaced when it dies."""

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from typing import Any

from pipeline.errors import PipelineError
from pipeline.runtime import source
from tools.serving.figures import FOLDER
from tools.serving.limits import READY

START_SECONDS = 180  # Keras itself, on a busy machine
QUICK_DEATHS = 5  # one after the other, none of which has answered
GRACE_SECONDS = 5  # beyond the time of a request


class Workers:
    """Processes that answer on `listening`.

    Args:
        settings: what `worker` reads.
        seconds: that a request may take, and so the end of a worker.
    """

    def __init__(
        self, listening: socket.socket, settings: Mapping[str, Any], count: int, seconds: float
    ) -> None:
        self._listening = listening
        self._settings = json.dumps(settings).encode() + b"\n"
        self._count = count
        self._seconds = seconds
        self._running: list[subprocess.Popen[bytes]] = []
        self._ready: set[int] = set()
        self._deaths = 0
        self._figures = tempfile.TemporaryDirectory(prefix="serving-")
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 (closed by `end`)

    def start(self) -> None:
        """Start all, and return when each can answer.

        Raises:
            PipelineError: one does not start, with its last line.
        """
        self._running = [self._start() for _ in range(self._count)]
        until = time.monotonic() + START_SECONDS
        while len(self._ready) < self._count:
            self.look(lambda line: None, 0.5)
            if time.monotonic() > until:
                raise PipelineError(f"no answer within {START_SECONDS} s")

    def watch(self, say: Callable[[str], None]) -> None:
        """Replace those that die, for ever; `say` is given a line about each.

        Raises:
            PipelineError: they die one after the other.
        """
        while True:
            self.look(say, 0.5)

    def look(self, say: Callable[[str], None], seconds: float) -> None:
        """Wait for news of any worker at most so long, and act on it."""
        pipes = {process.stdout.fileno(): process for process in self._running if process.stdout}
        for pipe in select.select(list(pipes), [], [], seconds)[0]:
            process = pipes[pipe]
            lines = os.read(pipe, 1 << 16).decode(errors="replace").splitlines()
            if not lines:
                self._replace(process, say)
            for line in lines:
                if line == READY:
                    self._ready.add(process.pid)
                    self._deaths = 0
                else:
                    say(line)

    @property
    def processes(self) -> list[int]:
        """The ids of those that run."""
        return [process.pid for process in self._running]

    def end(self) -> None:
        """Let requests in flight be answered, then end all."""
        self._listening.close()
        for process in self._running:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
        until = time.monotonic() + self._seconds + GRACE_SECONDS
        try:
            for process in self._running:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=max(0, until - time.monotonic()))
        finally:  # a second Ctrl-C comes here at once
            for process in self._running:
                process.kill()
                process.wait()
            self._figures.cleanup()
            self._errors.close()

    def _start(self) -> subprocess.Popen[bytes]:
        descriptor = self._listening.fileno()
        # A group of its own: Ctrl-C goes to the server, which ends its workers in peace. Not a
        # session: Linux gives each an equal share, and on a busy machine it waits for its turn.
        process = subprocess.Popen(
            [sys.executable, "-m", "tools.serving.worker", str(descriptor)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            bufsize=0,
            pass_fds=[descriptor],
            process_group=0,
            cwd=source.ROOT,
            env={**os.environ, FOLDER: self._figures.name, "TF_CPP_MIN_LOG_LEVEL": "3"},
        )
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(self._settings)
        return process

    def _replace(self, process: subprocess.Popen[bytes], say: Callable[[str], None]) -> None:
        status = process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe:
                pipe.close()
        self._running.remove(process)
        if process.pid not in self._ready:
            self._deaths += 1
        if self._deaths >= (QUICK_DEATHS if self._ready else 1):
            self._errors.seek(0)
            last = (self._errors.read().strip().splitlines() or ["no message"])[-1]
            raise PipelineError(f"a worker does not start: {last}")
        self._ready.discard(process.pid)
        why = signal.Signals(-status).name if status < 0 else f"exit status {status}"
        self._running.append(self._start())
        say(f"worker {process.pid} ended ({why}); {self._running[-1].pid} takes its place")
