"""Weights of the right shapes in each of the files that the pipeline reads, and a small server."""

import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import h5py
import numpy as np
import onnx

from pipeline.networks.bases import Wheel
from pipeline.pretrained.arrays import Arrays, layout
from pipeline.pretrained.wheel import read_onnx

MEMBER = "fake_tumor/models/vgg16.onnx"
FAKE = Wheel("fake-tumor==1.0", MEMBER, "MIT", read_onnx)


def random_arrays(seed: int = 0) -> Arrays:
    """VGG16's 26 arrays with values that keep the maps' size from layer to layer (He et al.)."""
    generator = np.random.default_rng(seed)
    arrays = {}
    for name, shape in layout("vgg16").shapes.items():
        scale = np.float32(np.sqrt(2 / np.prod(shape[:-1])) if len(shape) == 4 else 0.1)
        arrays[name] = generator.standard_normal(shape, dtype="float32") * scale
    return arrays


def write_legacy_h5(path: Path, arrays: Arrays, group: str = "") -> Path:
    """Keras' layout of 2015: a group for each layer, the arrays under their old names."""
    with h5py.File(path, "w") as file:
        root = file.create_group(group) if group else file
        layers = [layer for layer in layout("vgg16").layers if f"{layer}_bias" in arrays]
        root.attrs["layer_names"] = [*layers, "block5_pool"]
        for layer in layers:
            names = {f"{layer}_W_1:0": f"{layer}_kernel", f"{layer}_b_1:0": f"{layer}_bias"}
            _write_group(root, layer, {old: arrays[name] for old, name in names.items()})
        _write_group(root, "block5_pool", {})
    return path


def write_nested_h5(path: Path, arrays: Arrays) -> Path:
    """The same of a model that has the base as one of its layers, with a dense layer above."""
    names = {f"{name[::-1].replace('_', '/', 1)[::-1]}:0": name for name in arrays}
    with h5py.File(path, "w") as file:
        root = file.create_group("model_weights")
        root.attrs["layer_names"] = [b"input_1", b"vgg16", b"dense"]
        _write_group(root, "input_1", {})
        _write_group(root, "vgg16", {old: arrays[name] for old, name in names.items()})
        _write_group(root, "dense", {"dense/kernel:0": np.ones((512, 2), "float32")})
    return path


def _write_group(root: h5py.Group, layer: str, found: dict[str, np.ndarray]) -> None:
    group = root.create_group(layer)
    group.attrs["weight_names"] = [name.encode() for name in found]
    for name, array in found.items():
        group.create_dataset(name, data=array)


def onnx_bytes(arrays: Arrays, last: str = "block5_conv3") -> bytes:
    """An ONNX model as tf2onnx writes it: kernels (out, in, h, w), a head behind the base."""
    nodes, tensors, inputs = [], [], "input"
    for layer in layout("vgg16").layers:
        kernel, bias = f"functional_1/{layer}_1/convolution:0", f"functional_1/{layer}_1/Squeeze:0"
        tensors += [
            onnx.numpy_helper.from_array(
                np.ascontiguousarray(arrays[f"{layer}_kernel"].transpose(3, 2, 0, 1)), kernel
            ),
            onnx.numpy_helper.from_array(arrays[f"{layer}_bias"], bias),
        ]
        nodes.append(onnx.helper.make_node("Conv", [inputs, kernel, bias], [layer]))
        inputs = layer
        if layer == last:
            break
    head = onnx.numpy_helper.from_array(np.ones((512, 4), "float32"), "functional_1/dense/kernel")
    nodes.append(onnx.helper.make_node("MatMul", [inputs, head.name], ["output"]))
    graph = onnx.helper.make_graph(nodes, "tumors", [], [], [*tensors, head])
    return onnx.helper.make_model(graph).SerializeToString()


def write_wheel(folder: Path, name: str, content: bytes | None, member: str = MEMBER) -> Path:
    """A wheel, name-1.0, that pip takes; `content` under `member`."""
    path = folder / f"{name}-1.0-py3-none-any.whl"
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        if content is not None:
            archive.writestr(member, content)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        tag = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        archive.writestr(f"{info}/WHEEL", tag)
        archive.writestr(f"{info}/RECORD", "")
    return path


@contextmanager
def serving(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[str]:
    """Serve on 127.0.0.1 for the block; `answer` writes the response. Yields http://host:port/."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        do_HEAD = do_GET  # noqa: N815 - http.server's name

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


def giving(content: bytes, length: int | None = None) -> Callable[[BaseHTTPRequestHandler], None]:
    """Answer with these bytes, and call their number `length`."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content) if length is None else length))
        handler.end_headers()
        if handler.command == "GET":
            handler.wfile.write(content)

    return answer
