"""The page that needs no server: one file with the model and a runtime in it."""

import base64
import gzip
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pipeline.errors import PipelineError
from tools.exporting import npm

PARTS = Path(__file__).parent / "browser"
MOST_BYTES = 25_000_000
_MODEL = re.compile(r'<script type="text/plain" id="model">([^<]*)</script>')
_BESIDE = ("name", "classes", "input", "resize", "digests", "metrics", "licences")


def render(description: Mapping[str, Any], model: bytes) -> str:
    """The page.

    Args:
        description: model.json; model: an ONNX file's bytes.

    Raises:
        PipelineError: the runtime cannot be had, or the page would be over 25 MB.
    """
    runtime = npm.package()
    glue = runtime["ort-wasm-simd-threaded.mjs"].decode("utf-8")
    page = _environment().get_template("page.html.j2")
    text = page.render(
        name=description["name"],
        style=_part("page.css"),
        script=_part("contract.js") + _part("page.js"),
        runtime=runtime["ort.wasm.min.js"].decode("utf-8"),
        runtime_version=npm.RUNTIME,
        # It is loaded from memory, where there is no address beside it; none is asked for.
        glue=base64.b64encode(
            glue.replace("import.meta.url", "document.baseURI").encode()
        ).decode(),
        wasm=packed(runtime["ort-wasm-simd-threaded.wasm"]),
        model=packed(model),
        description=_in_script({key: description[key] for key in _BESIDE}),
        description_of=description,
        licence=_part("licence.txt"),
    )
    if len(text.encode()) > MOST_BYTES:
        raise PipelineError(
            f"html: the page would have {len(text) / 1e6:.0f} MB, more than "
            f"{MOST_BYTES / 1e6:.0f}; --quantize int8 makes the model smaller, or choose a "
            "smaller network"
        )
    return text


def model_in(path: Path) -> bytes:
    """The ONNX model in a page.

    Raises:
        PipelineError: there is none in it.
    """
    found = _MODEL.search(path.read_text(encoding="utf-8"))
    if not found:
        raise PipelineError(f"{path}: no page of this program's, for it holds no model")
    return gzip.decompress(base64.b64decode(found[1]))


def snippet() -> str:
    """classify.mjs: what prepares a picture, and a program for Node around it."""
    head = (
        "/* Name the class of pictures with model.onnx and model.json, which stand beside this.\n\n"
        f"     npm install {npm.PACKAGE}\n"
        "     node classify.mjs photo.ppm\n\n"
        "   In a page: import { classify } from this file. */\n\n"
    )
    return head + _part("contract.js") + _part("node.js")


def packed(data: bytes) -> str:
    """Compressed, as text; the same data give the same text."""
    return base64.b64encode(gzip.compress(data, 9, mtime=0)).decode()


def _in_script(value: Any) -> str:
    """JSON that may stand between <script> and </script>."""
    return json.dumps(value, ensure_ascii=False).replace("<", "\\u003c")


def _part(name: str) -> str:
    return (PARTS / name).read_text(encoding="utf-8")


def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(PARTS), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
