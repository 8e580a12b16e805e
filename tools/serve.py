"""Serve a model on 127.0.0.1 until Ctrl-C: image files in, classes out.

    python -m tools.serve                    the registered model, alias `best`
    python -m tools.serve --dataset NAME     that of another data set
    python -m tools.serve --run NAME         that of any experiment

It answers as MLflow's scoring server does, from ONNX Runtime where that agrees with
Keras. docs/serving.md has the requests, the limits and what was measured.
"""

import argparse
import importlib.metadata
import os
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipeline.datasets.pool import processors
from pipeline.errors import PipelineError
from pipeline.evaluation.reference import beside
from pipeline.runtime import files
from pipeline.runtime.stage import Stopped, program_parser, run_program
from tools import server
from tools.serving import conversion, registry, trained
from tools.serving.limits import Limits
from tools.serving.workers import Workers

PORT = 5001
TOKEN = "IMAGE_PIPELINE_TOKEN"  # nosec B105: the variable's name
MOST_WORKERS = 8


def main(arguments: Sequence[str] | None = None) -> None:
    given = _parser().parse_args(arguments)
    token = _token(given.token_file)
    with server.listening(given.host, given.port, PORT) as listening, _model(given) as model:
        limits = Limits(
            bytes=int(given.max_mb * (1 << 20)),
            pixels=int(given.max_megapixels * 1e6),
            seconds=given.seconds,
            wait=given.batch_ms / 1000,
        )
        found = conversion.converted(model.file)
        model.check_outputs(found.classes)
        count = given.workers or min(processors(), MOST_WORKERS)
        by_onnx = found.path is not None and not given.keras
        served = (found.path if by_onnx and found.path else model.file).resolve()
        settings = {
            "engine": "onnx" if by_onnx else "keras",
            "model": str(served),
            "threads": max(1, processors() // count),
            "reference": str(beside(model.file).resolve()),
            "resize": model.resize.described(),
            "classes": model.classes,
            "limits": asdict(limits),
            "token": token,
            "version": _version(model, served, found, by_onnx),
        }
        running = Workers(listening, settings, count, limits.seconds)
        try:
            running.start()
            address = f"http://{given.host}:{listening.getsockname()[1]}"
            _say(f"{model.title} answers at {address}/invocations")
            _say(curl(address, bool(token)))
            _say(f"{count} workers, {_engine(by_onnx, found.said, given.keras)}")
            if not token and given.host not in (server.HOST, "localhost", "::1"):
                _say(f"whoever reaches {given.host} may ask; {TOKEN} sets a token")
            _say("Ctrl-C ends it")
            running.watch(_say)
        except (KeyboardInterrupt, Stopped):
            pass
        finally:
            running.end()
        _say("ended")


def curl(address: str, token: bool = False, image: str = "photo.jpg") -> str:
    """The shell line that sends an image and prints the answer."""
    header = f'-H "Authorization: Bearer ${TOKEN}" ' if token else ""
    return f"curl -s {header}-F image=@{image} {address}/invocations"


def _say(line: str) -> None:
    print(f"serve: {line}", flush=True)


def _engine(by_onnx: bool, said: str, wanted: bool) -> str:
    if by_onnx:
        return f"ONNX Runtime, which {said}"
    return "Keras, as --keras says" if wanted else f"Keras itself: ONNX {said}"


def _model(given: argparse.Namespace) -> AbstractContextManager[trained.Trained]:
    if given.run:
        return trained.of_run(given.run)
    name = given.dataset or registry.registered_dataset(trained.open_store())
    return trained.of_registry(name, registry.ALIAS)


def _version(
    model: trained.Trained, served: Path, found: conversion.Converted, by_onnx: bool
) -> dict[str, Any]:
    """What /version says."""
    name = "onnxruntime" if by_onnx else "keras"
    return {
        "model": model.title,
        "run_id": model.run_id or None,
        "model_sha256": files.sha256(model.file),
        "served_sha256": files.sha256(served),
        "engine": f"{name} {importlib.metadata.version(name)}",
        "onnx": found.said,
        "input": list(found.shape),
        "resize": model.resize.described(),
        "classes": model.classes,
    }


def _token(path: Path | None) -> str:
    """The token that a request must carry; "" for none."""
    if path is None:
        return os.environ.get(TOKEN, "")
    try:
        token = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise PipelineError(f"--token-file: {path}: {error.strerror}") from None
    if not token:
        raise PipelineError(f"--token-file: {path}: empty; write a token of one line into it")
    return token


def _parser() -> argparse.ArgumentParser:
    parser = program_parser("tools.serve", __doc__)
    parser.add_argument("--dataset", help="the data set's name (default: the workspace's)")
    parser.add_argument("--run", help="an experiment's name, or a run's name or id")
    parser.add_argument("--port", type=int, help=f"the port (default: {PORT} or the next free)")
    parser.add_argument("--host", default=server.HOST, help="0.0.0.0 for all that reach it")
    parser.add_argument("--workers", type=_count, help="processes (default: one a processor)")
    parser.add_argument("--token-file", type=Path, help=f"with the token (or {TOKEN})")
    parser.add_argument("--keras", action="store_true", help="Keras in place of ONNX Runtime")
    limits = Limits()
    for name, default, unit in (
        ("max-mb", limits.bytes / (1 << 20), "MB of a request"),
        ("max-megapixels", limits.pixels / 1e6, "megapixels that an image may declare"),
        ("seconds", limits.seconds, "for a request"),
        ("batch-ms", limits.wait * 1000, "ms that an image waits for others"),
    ):
        parser.add_argument(
            f"--{name}", type=_positive, default=default, help=f"{unit} ({default:g})"
        )
    return parser


def _count(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 64:
        raise ValueError
    return number


def _positive(text: str) -> float:
    number = float(text)
    if not 0 < number < 1e6:
        raise ValueError
    return number


if __name__ == "__main__":
    run_program("serve", main)
