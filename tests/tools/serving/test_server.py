"""The server's workers on a small model: what they answer, refuse, survive and count."""

import base64
import concurrent.futures
import io
import json
import os
import signal
import socket
import time
from collections.abc import Iterator

import numpy as np
import psutil
import pytest
from PIL import Image

from pipeline.datasets.decode import decode
from pipeline.datasets.resizing import Resize
from tests.tools.serving.asking import CLASSES, Server, read_all, records, serving, write_onnx
from tests.tools.serving.training import encoded, odd_picture, picture

ONE_LINE = {"error_code", "message"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(
        tmp_path_factory.mktemp("served"), bytes=1 << 20, pixels=5_000_000, seconds=3.0
    ) as found:
        yield found


@pytest.fixture(scope="module")
def photos() -> list[bytes]:
    return [encoded(picture(seed, "RGB", 40), "JPEG") for seed in range(4)]


@pytest.fixture(scope="module")
def expected(photos, tmp_path_factory) -> np.ndarray:
    """(4, 3) probabilities of the photos, computed here."""
    weights = write_onnx(tmp_path_factory.mktemp("weights") / "small.onnx")
    pixels = np.stack([decode(data, (8, 8, 3), Resize("crop"))[0] for data in photos])
    scores = np.exp(pixels.reshape(4, -1).astype("float32") / 255 @ weights)
    return scores / scores.sum(axis=1, keepdims=True)


def probabilities(answer: dict) -> list[list[float]]:
    return [[row[f"p_{name}"] for name in CLASSES] for row in answer["predictions"]]


def texts(photos: list[bytes]) -> list[str]:
    return [base64.b64encode(data).decode() for data in photos]


FORMS = {
    "dataframe_records": lambda given: [{"image": text, "other": 1} for text in given],
    "dataframe_split": lambda given: {
        "columns": ["id", "image"], "data": [[i, text] for i, text in enumerate(given)],
    },
    "instances": lambda given: [{"image": {"b64": given[0]}}, {"b64": given[1]}, *given[2:]],
    "inputs": lambda given: {"image": [given[0], "data:image/jpeg;base64," + given[1], *given[2:]]},
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_json_as_mlflow_takes_it(server, photos, expected, form):
    body = json.dumps({form: FORMS[form](texts(photos)), "params": {}}).encode()
    status, answer = server.ask(
        "/invocations", body, Content_Type="application/json; charset=utf-8"
    )
    assert status == 200
    np.testing.assert_allclose(probabilities(answer), expected, atol=1e-5)
    best = [CLASSES[i] for i in expected.argmax(axis=1)]
    assert [row["class"] for row in answer["predictions"]] == best
    assert all(row["probability"] == row[f"p_{row['class']}"] for row in answer["predictions"])


def test_a_form_and_a_bare_image(server, photos, expected):
    parts = b"".join(
        b'--xx\r\nContent-Disposition: form-data; name="image"; filename="a.jpg"\r\n'
        b"Content-Type: image/jpeg\r\n\r\n" + data + b"\r\n" for data in photos
    )  # fmt: skip
    field = b'--xx\r\nContent-Disposition: form-data; name="note"\r\n\r\nhello\r\n'
    kind = "multipart/form-data; boundary=xx"
    status, answer = server.ask("/invocations", field + parts + b"--xx--\r\n", Content_Type=kind)
    assert status == 200
    np.testing.assert_allclose(probabilities(answer), expected, atol=1e-5)
    status, answer = server.ask("/invocations", photos[2], Content_Type="image/jpeg")
    assert status == 200
    np.testing.assert_allclose(probabilities(answer), expected[2:3], atol=1e-5)
    assert server.ask("/invocations", records(), Content_Type="application/json") == (
        200, {"predictions": []},
    )  # fmt: skip


def test_what_is_unlike_the_training_is_said(server):
    usual = [encoded(picture(seed, "RGB")) for seed in range(3)]
    odd = encoded(Image.fromarray(odd_picture(3)))
    status, answer = server.classify(*usual, odd)
    assert status == 200
    assert [row["unlike_training"] for row in answer["predictions"]] == [False] * 3 + [True]


def test_the_other_pages(server):
    for path in ("/ping", "/health"):
        assert server.ask(path) == (200, {"status": "ok"})
    assert server.ask("/version") == (200, {"model": "small"})
    status, headers, body = server.ask_raw("HEAD", "/ping")
    assert (status, body) == (200, b"")
    status, answer = server.ask("/invocation")
    assert (status, answer["message"]) == (
        404, "no such page; there are /invocations, /ping, /health, /version, /metrics",
    )  # fmt: skip
    status, headers, _ = server.ask_raw("GET", "/invocations")
    assert (status, headers["allow"]) == (405, "POST")


def huge(pixels: int) -> bytes:
    """A PNG that declares so many pixels a side and holds none of them."""
    buffer = io.BytesIO()
    Image.new("L", (1, 1)).save(buffer, "PNG")
    data = bytearray(buffer.getvalue())
    data[16:24] = pixels.to_bytes(4, "big") * 2
    data[29:33] = __import__("zlib").crc32(data[12:29]).to_bytes(4, "big")
    return bytes(data)


JSON = "application/json"
FORM = "multipart/form-data; boundary=xx"
WRONG = {
    "no JSON": (JSON, b"{", 400, "not JSON: Expecting property name"),
    "no UTF-8": (JSON, b"\xff\xfe\xff", 400, "not JSON: "),
    "deep": (JSON, b"[" * 100_000, 400, "not JSON: nested too deep"),
    "many": (JSON, b'{"inputs":[' + b"[]," * 700_000, 413, "over 1 MB"),
    "many values": (JSON, b"," * 1_048_576, 400, "not JSON: "),
    "a list": (JSON, b"[1]", 400, "expected a JSON object with one of dataframe_split"),
    "two forms": (JSON, b'{"inputs":[],"instances":[]}', 400, "expected a JSON object with one of"),
    "no list": (JSON, b'{"instances":5}', 400, "instances: expected a list"),
    "no column": (JSON, b'{"dataframe_records":[{"x":1}]}', 400, "image 0: expected an image file in base64"),
    "a number": (JSON, b'{"inputs":[7]}', 400, "image 0: expected an image file in base64"),
    "no split": (JSON, b'{"dataframe_split":{"data":[]}}', 400, 'dataframe_split: expected "columns"'),
    "ragged": (JSON, b'{"dataframe_split":{"columns":["image"],"data":[[],[1]]}}', 400, "dataframe_split: expected a list of as many"),
    "no base64": (JSON, b'{"inputs":["%%%"]}', 400, "image 0: not base64"),
    "no image": (JSON, records(b"hello"), 400, "image 0: not an image of a known format"),
    "empty image": (JSON, records(b""), 400, "image 0: an empty file"),
    "truncated": (JSON, records(encoded(picture(1, "RGB", 40), "JPEG")[:300]), 400, "image 0: damaged"),
    "the second": (JSON, records(encoded(picture(1)), b"hello"), 400, "image 1: not an image"),
    "6 megapixels": (JSON, records(huge(2450)), 413, "image 0: over 5 megapixels"),
    "100 gigapixels": (JSON, records(huge(320_000)), 413, "image 0: over 5 megapixels"),
    "1,025 images": (JSON, records(*[b"x"] * 1025), 413, "1025 images in a request; 1024 at most"),
    "no type": ("", b"x", 415, "Content-Type: expected application/json"),
    "another type": ("text/csv", b"x", 415, "Content-Type: expected application/json"),
    "no boundary": ("multipart/form-data", b"x", 400, "multipart/form-data: no boundary"),
    "cut form": (FORM, b"--xx\r\n\r\nabc", 400, "multipart/form-data: cut off"),
    "no file": (FORM, b'--xx\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n--xx--', 400, "multipart/form-data: no file in it"),
    "2 MB": (JSON, b" " * (2 << 20), 413, "over 1 MB; send fewer or smaller images"),
    "20 MB": ("image/jpeg", b" " * (20 << 20), 413, "over 1 MB; send fewer or smaller images"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_one_line(server, photos, name):
    kind, body, status, message = WRONG[name]
    try:
        found, answer = server.ask("/invocations", body, Content_Type=kind)
    except (ConnectionResetError, BrokenPipeError):
        assert name == "20 MB"  # nobody reads all of that
    else:
        assert found == status
        assert set(answer) == ONE_LINE
        assert answer["message"].startswith(message)
        assert "\n" not in answer["message"]
    assert server.classify(photos[0])[0] == 200


def test_a_body_that_does_not_come_and_one_in_chunks(server, photos):
    head = b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    with server.connection() as slow, server.connection() as chunked:
        slow.sendall(head + b"Content-Length: 100\r\n\r\n{")
        body = records(photos[0])
        chunked.sendall(head + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n")
        for part in (body[:100], body[100:]):
            chunked.sendall(b"%x\r\n%s\r\n" % (len(part), part))
            time.sleep(0.05)
        chunked.sendall(b"0\r\n\r\n")
        assert read_all(chunked).startswith(b"HTTP/1.1 200 ")
        assert server.classify(photos[0])[0] == 200  # beside the slow one
        answer = read_all(slow)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"message":"the body was not sent within 3 s"' in answer


def test_what_is_no_http(server, photos):
    for sent in (b"hello\r\n\r\n", b"\x16\x03\x01" * 20, b"GET / HTTP/1.1\r\nX: " + b"a" * 90_000):
        with server.connection() as connection:
            connection.sendall(sent)
            answer = read_all(connection)
        assert not answer or answer.startswith(b"HTTP/1.1 400 ")
    for _ in range(20):  # and those who leave
        with server.connection() as connection:
            connection.sendall(
                b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{"
            )
    with server.connection() as connection:
        connection.sendall(
            b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\n"
            b"Expect: 100-continue\r\n\r\n"
        )
        assert connection.recv(100).startswith(b"HTTP/1.1 413 ")  # before the body was sent
    assert server.classify(photos[0])[0] == 200
    assert server.said == []


def test_many_at_once_share_batches(server, photos, expected):
    before = counted(server)
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda i: (i % 4, server.classify(photos[i % 4])), range(200)))
    for i, (status, answer) in found:
        assert status == 200
        np.testing.assert_allclose(probabilities(answer)[0], expected[i], atol=1e-5)
    after = counted(server)
    images = "image_pipeline_batch_images_sum"
    assert after[images] - before[images] == 200
    batches = "image_pipeline_batch_images_count"
    assert 0 < after[batches] - before[batches] <= 200
    answered = 'image_pipeline_requests_total{path="/invocations",status="200"}'
    assert after[answered] - before[answered] == 200
    assert not [name for name in after if 'status="5' in name]


def counted(server: Server) -> dict[str, float]:
    _, text = server.ask("/metrics")
    lines = [line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in lines}


def pinged(connection: socket.socket) -> bytes:
    """The whole answer to a ping on an open connection."""
    connection.sendall(b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n")
    answer = b""
    while not answer.endswith(b'{"status":"ok"}\n'):
        chunk = connection.recv(1000)
        assert chunk, answer
        answer += chunk
    return answer


def test_a_token_a_killed_worker_and_a_clean_end(tmp_path, photos):
    with serving(tmp_path, workers=2, token="s3cret") as server:
        status, headers, body = server.ask_raw("POST", "/invocations", photos[0])
        assert (status, headers["www-authenticate"]) == (401, "Bearer")
        for path in ("/version", "/metrics"):
            assert server.ask(path, Authorization="Bearer s3cre")[0] == 401
            assert server.ask(path, Authorization="Bearer s3cret")[0] == 200
        assert server.ask("/health")[0] == 200

        first, second = server.workers.processes
        os.kill(first, signal.SIGKILL)
        until = time.monotonic() + 20
        while first in server.workers.processes and time.monotonic() < until:
            time.sleep(0.05)
        assert len(server.workers.processes) == 2
        third = server.workers.processes[1]
        assert server.said == [f"worker {first} ended (SIGKILL); {third} takes its place"]
        assert server.ask("/ping")[0] == 200
        os.kill(second, signal.SIGKILL)  # now only the new one can answer
        assert server.ask("/ping")[0] == 200
        while second in server.workers.processes and time.monotonic() < until:
            time.sleep(0.05)

        body = photos[0]
        with server.connection() as open_one, server.connection() as idle:
            assert pinged(idle).startswith(b"HTTP/1.1 200 ")
            head = "POST /invocations HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer s3cret\r\n"
            head += f"Content-Type: image/jpeg\r\nContent-Length: {len(body)}\r\n\r\n"
            open_one.sendall(head.encode() + body[:100])
            time.sleep(0.3)
            with concurrent.futures.ThreadPoolExecutor(1) as pool:
                running = [psutil.Process(pid) for pid in server.workers.processes]
                ended = pool.submit(server.stop)
                answer = b""
                while b"connection: close" not in answer:  # asked when the end had come
                    answer = pinged(idle)
                    assert answer.startswith(b"HTTP/1.1 200 ")
                    time.sleep(0.05)
                assert read_all(idle) == b""
                open_one.sendall(body[100:])  # its request was in flight
                assert read_all(open_one).startswith(b"HTTP/1.1 200 ")
                ended.result(20)
        assert not [process for process in running if process.is_running()]
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", server.port), timeout=5)
