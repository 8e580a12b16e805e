"""A server on this machine that ends with this program, and leaves no worker behind."""

import errno
import os
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from types import FrameType

from pipeline.errors import PipelineError
from pipeline.tracking.sanitize import without_credentials

HOST = "127.0.0.1"
START_SECONDS = 180  # MLflow's takes 11 to 27
PORTS_TRIED = 100
BACKLOG = 1024


def free_port(wanted: int | None, first: int) -> int:
    """The wanted port, which must be free, or the first free one from `first` on.

    Raises:
        PipelineError: no port number, in use, or none is free.
    """
    with listening(HOST, wanted, first) as probe:
        port: int = probe.getsockname()[1]
        return port


def listening(host: str, wanted: int | None, first: int) -> socket.socket:
    """A socket that listens on the wanted port, or on the first free one from `first` on.

    Raises:
        PipelineError: no port number, in use, none is free, or no such host.
    """
    for port in [wanted] if wanted is not None else range(first, first + PORTS_TRIED):
        found = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            found.bind((host, port))
            found.listen(BACKLOG)
            return found
        except OSError as error:
            found.close()
            if error.errno != errno.EADDRINUSE and not isinstance(error, PermissionError):
                raise PipelineError(f"--host: {host}: {error.strerror}") from None
            if wanted is not None:
                raise PipelineError(f"--port: {port}: {error.strerror}; leave it out") from None
        except OverflowError:
            found.close()
            raise PipelineError(f"--port: {port}: expected 1 to 65535") from None
    raise PipelineError(
        f"no free port from {first} to {first + PORTS_TRIED - 1}; give one by --port"
    )


def serve(
    command: Sequence[str], environment: Mapping[str, str], health: str, ready: Callable[[], None]
) -> None:
    """Run a server until Ctrl-C or SIGTERM, then end it with its workers.

    Args:
        command: the program and its arguments.
        environment: what it gets beside this process's variables.
        health: the address that answers when it is ready; `ready` is called then.

    Raises:
        PipelineError: it ended by itself, with its last line, or does not answer.
    """

    def on_term(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, on_term)
    with tempfile.TemporaryFile("w+") as errors:
        # A session of its own: Ctrl-C ends the server from here, with its workers.
        server = subprocess.Popen(
            command,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            start_new_session=True,
        )
        try:
            if _wait(server, health):
                ready()
                server.wait()
            errors.seek(0)
            last = (errors.read().strip().splitlines() or ["no message"])[-1]
            raise PipelineError(f"the server ended: {without_credentials(last)}")
        finally:
            _end(server)
            signal.signal(signal.SIGTERM, before)


def _wait(server: subprocess.Popen[bytes], address: str) -> bool:
    """Wait until the server answers; False if it ends before."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        if server.poll() is not None:
            return False
        try:
            urllib.request.urlopen(address, timeout=5).close()  # nosec B310: http, our own
            return True
        except OSError:  # URLError is one
            time.sleep(0.2)
    raise PipelineError(f"the server gave no answer within {START_SECONDS} s")


def _end(server: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(server.pid, number)
            server.wait(timeout=5)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue
