"""One process of the server: `python -m tools.serving.worker FD`, started by `workers`.

Its settings come in one line of JSON on standard input. Standard input stays
open as long as the server lives; when it ends, this process ends too. A line
on standard output says that it can answer; others are for the server's user.
"""

import asyncio
import contextlib
import json
import logging
import os
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import Any

import uvicorn

from pipeline.datasets.resizing import Resize
from pipeline.evaluation.reference import Reference
from tools.serving import engine
from tools.serving.app import App
from tools.serving.classifying import Classifying
from tools.serving.connection import Connection
from tools.serving.limits import READY, Limits
from tools.serving.model import Trained, load


def main(descriptor: int) -> None:
    settings = json.loads(sys.stdin.readline())
    listening = socket.socket(fileno=descriptor)
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL + 1)
    logging.getLogger("asyncio").setLevel(logging.CRITICAL + 1)
    app, seconds = _app(settings)
    config = uvicorn.Config(
        app,
        http=Connection,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=int(seconds) + 1,
        # asyncio takes so many connections at a time, plus one. With more of them a worker
        # would take all that wait, while another has nothing to do.
        backlog=1,
    )
    server = _Server(config)
    threading.Thread(target=_end_with_the_server, daemon=True).start()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(server.serve([listening]))
    os._exit(0)  # an image that nobody waits for any more may be in the works


class _Server(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await self.config.app.classifying.warm()  # type: ignore[union-attr]
        await super().startup(sockets)
        for one in sockets or []:
            one.listen(1024)
        _say(READY)


def _app(settings: dict[str, Any]) -> tuple[App, float]:
    limits = Limits(**settings["limits"])
    path, threads = Path(settings["model"]), settings["threads"]
    classes, resize = settings["classes"], Resize.read(settings["resize"])
    reference = Reference.load(Path(settings["reference"]))
    if settings["engine"] == "onnx":
        computed = engine.of_onnx(path, threads, reference)
    else:
        trained = Trained(path, classes, settings["version"]["model"], resize)
        computed = engine.of_keras(load(trained, threads), reference)
    classifying = Classifying(computed, resize, classes, limits)
    return App(classifying, limits, settings["version"], settings["token"], _say), limits.seconds


def _say(line: str) -> None:
    os.write(1, f"{line}\n".encode())  # at once, which print does not promise


def _end_with_the_server() -> None:
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main(int(sys.argv[1]))
