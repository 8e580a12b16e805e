"""The formats by name. Nothing here imports Keras before a file is written."""

import importlib
import importlib.util
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import PipelineError, did_you_mean
from tools.exporting import runtimes

DEFAULT = ("onnx", "litert")


@dataclass(frozen=True)
class Format:
    """A kind of file.

    `file` is its name; `also` what stands beside it; `needs` are packages, and `extra`
    what installs those that the ordinary environment lacks. `int8` is the file's name with
    8 bits, None where there is no such. `answer` opens the file, with so many threads.
    """

    name: str
    file: str
    needs: tuple[str, ...]
    answer: Callable[[Path, int], runtimes.Answer]
    int8: str | None = None
    also: tuple[str, ...] = ()
    extra: str = ""

    @property
    def writer(self) -> Any:
        """The module that writes it."""
        return importlib.import_module(f"tools.exporting.to_{self.name}")


def _inside(path: Path, threads: int) -> runtimes.Answer:
    from tools.exporting.page import model_in

    return runtimes.onnx(model_in(path), threads)


ALL = {
    one.name: one
    for one in (
        Format(
            "onnx",
            "model.onnx",
            ("onnx", "tf2onnx", "onnxruntime"),
            runtimes.onnx,
            int8="model.int8.onnx",
        ),
        Format(
            "litert",
            "model.tflite",
            ("ai_edge_litert",),
            runtimes.litert,
            int8="model.int8.tflite",
        ),
        Format(
            "openvino",
            "model.xml",
            ("onnx", "tf2onnx", "openvino"),
            runtimes.openvino,
            also=("model.bin",),
            extra="openvino",
        ),
        Format("saved_model", "saved_model", (), runtimes.saved_model),
        Format(
            "html",
            "classify.html",
            ("onnx", "tf2onnx", "onnxruntime"),
            _inside,
            int8="classify.html",
        ),
    )
}


def chosen(text: str) -> list[Format]:
    """The formats of a list like `onnx,litert`, each once.

    Raises:
        PipelineError: an unknown one, or one whose converter is not installed.
    """
    names = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names:
        raise PipelineError(f"--to: name at least one of {', '.join(ALL)}")
    for name in names:
        if name not in ALL:
            raise PipelineError(f"--to: {name}: unknown format{did_you_mean(name, ALL)}")
    found = [ALL[name] for name in names]
    for one in found:
        _check_installed(one.name, one.needs, one.extra)
    return found


def _check_installed(name: str, needs: Iterable[str], extra: str) -> None:
    for package in needs:
        if importlib.util.find_spec(package) is None:
            how = f" EXTRA={extra}" if extra else ""
            raise PipelineError(f"--to: {name}: {package} is not installed; run `make setup{how}`")
