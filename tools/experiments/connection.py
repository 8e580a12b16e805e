"""Connecting to a Ray cluster, in one line where that fails."""

import contextlib
import logging
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pipeline
import tools
from pipeline.errors import PipelineError
from pipeline.tracking.sanitize import one_line

AUTO = "auto"


def connect(address: str) -> tuple[Any, str]:
    """Ray, connected to the cluster at `address` (AUTO, or HOST:PORT), and its head's HOST:PORT.

    Raises:
        PipelineError: Ray is not installed, nothing answers, or Ray will not have us.
    """
    if address != AUTO and not answers(address):
        raise PipelineError(
            f"--cluster: {address}: no cluster answers there; expected auto or HOST:PORT"
        )
    on_term = signal.getsignal(signal.SIGTERM)
    printed: list[str] = []
    try:
        with captured(printed):
            import ray

            ray.init(
                address=address,
                logging_level=logging.CRITICAL,
                log_to_driver=False,
                runtime_env={
                    "py_modules": [str(Path(each.__path__[0])) for each in (pipeline, tools)],
                    "excludes": ["__pycache__"],
                },
            )
        return ray, ray.get_runtime_context().gcs_address
    except ModuleNotFoundError as error:
        if error.name != "ray":
            raise
        raise PipelineError("a cluster needs Ray; `make setup EXTRA=scale` installs it") from None
    except Exception as error:
        token = (
            "; RAY_AUTH_TOKEN is not the cluster's" if "InvalidAuthToken" in str(printed) else ""
        )
        raise PipelineError(f"--cluster: {address}: {one_line(error)}{token}") from None
    finally:
        signal.signal(signal.SIGTERM, on_term)  # Ray sets its own


def answers(address: str) -> bool:
    """Whether something listens at HOST:PORT."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=3).close()
    except (OSError, ValueError, OverflowError):
        return False
    return True


@contextlib.contextmanager
def captured(printed: list[str]) -> Iterator[None]:
    """Keep back what Ray's libraries print to standard error; `printed` gets it."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with tempfile.TemporaryFile() as file:
            os.dup2(file.fileno(), 2)
            try:
                yield
            finally:
                os.dup2(kept, 2)
                file.seek(0)
                printed.append(file.read().decode("utf-8", "replace"))
    finally:
        os.close(kept)
