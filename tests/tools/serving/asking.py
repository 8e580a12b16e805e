"""A server of a small ONNX model that is made by hand, and clients for it, good and bad."""

import base64
import http.client
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from pipeline.evaluation import unlike
from pipeline.evaluation.reference import Reference, beside
from tests.tools.serving.training import picture
from tools import server
from tools.serving.limits import Limits
from tools.serving.workers import Workers

CLASSES = ["cat", "dog", "ox"]
SHAPE = (8, 8, 3)
SECONDS = 20  # that an answer may take here


def write_onnx(path: Path) -> np.ndarray:
    """uint8 (n, 8, 8, 3) to the softmax of three scores, whose weights, (192, 3), are returned;
    its features are the pixels. Beside it is a reference to which `usual` pictures are usual."""
    weights = np.random.default_rng(0).normal(0, 1, (192, 3)).astype("float32")
    nodes = [
        helper.make_node("Cast", ["pixels"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["floats", "scale"], ["scaled"]),
        helper.make_node("Flatten", ["scaled"], ["features"]),
        helper.make_node("MatMul", ["features", "weights"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["probabilities"], axis=1),
    ]
    taken = helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["n", *SHAPE])
    given = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", size])
        for name, size in (("probabilities", 3), ("features", 192))
    ]
    kept = [
        numpy_helper.from_array(weights, "weights"),
        numpy_helper.from_array(np.float32(1 / 255), "scale"),
    ]
    graph = helper.make_graph(nodes, "small", [taken], given, kept)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 9
    onnx.save(model, path)
    features = usual().reshape(40, -1).astype("float32") / 255
    known = unlike.fit(features, features)
    Reference(1.0, False, np.ones(1, "float32"), "flat", known).save(beside(path))
    return weights


def usual() -> np.ndarray:
    """uint8 (40, 8, 8, 3)."""
    return np.stack([np.asarray(picture(seed, "RGB")) for seed in range(40)])


@dataclass
class Server:
    """A running one: its port, its workers and the lines that it said."""

    port: int
    workers: Workers
    said: list[str] = field(default_factory=list)

    unwatched: Callable[[], Any] = lambda: None

    def stop(self) -> None:
        self.unwatched()
        self.workers.end()

    def ask(self, path: str, body: bytes | None = None, **headers: str) -> tuple[int, Any]:
        """Status and answer, from JSON where it is JSON; POST with a body, else GET."""
        status, _, text = self.ask_raw("GET" if body is None else "POST", path, body, **headers)
        with suppress(ValueError):
            return status, json.loads(text)
        return status, text.decode()

    def ask_raw(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, named)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def classify(self, *images: bytes) -> tuple[int, Any]:
        return self.ask("/invocations", records(*images), Content_Type="application/json")

    @contextmanager
    def connection(self) -> Iterator[socket.socket]:
        """A bare connection, for what no client would send."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=SECONDS) as found:
            yield found


def records(*images: bytes) -> bytes:
    rows = [{"image": base64.b64encode(one).decode()} for one in images]
    return json.dumps({"dataframe_records": rows}).encode()


def read_all(connection: socket.socket) -> bytes:
    """What comes until the other side closes."""
    found = b""
    with suppress(ConnectionResetError):
        while chunk := connection.recv(1 << 16):
            found += chunk
    return found


@contextmanager
def serving(folder: Path, *, workers: int = 1, token: str = "", **limits: Any) -> Iterator[Server]:
    """A server for the `with` block, in processes of its own."""
    model = folder / "small.onnx"
    write_onnx(model)
    given = Limits(**limits)
    listening = server.listening("127.0.0.1", None, 5100)
    settings = {
        "engine": "onnx",
        "model": str(model),
        "threads": 1,
        "reference": str(beside(model)),
        "resize": {"method": "crop", "share": 0.875},
        "classes": CLASSES,
        "limits": asdict(given),
        "token": token,
        "version": {"model": "small"},
    }
    running = Workers(listening, settings, workers, given.seconds)
    found = Server(listening.getsockname()[1], running)
    try:
        running.start()
        ended = threading.Event()

        def watch() -> None:
            while not ended.is_set():
                running.look(found.said.append, 0.05)

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        found.unwatched = lambda: (ended.set(), thread.join(SECONDS))
        yield found
    finally:
        found.stop()
