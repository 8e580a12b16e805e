"""A web server on 127.0.0.1 that serves files well or badly."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Server:
    """`files` by their path without the first /; `faults` are done instead of serving, for each
    path one after another as long as there are any; `requests` are the paths asked for, with the
    Range header, if there was one."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.faults: dict[str, list[Callable[[BaseHTTPRequestHandler, bytes], None]]] = {}
        self.requests: list[tuple[str, str | None]] = []
        self.ranges = True
        self.ended = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = self.path.lstrip("/")
                server.requests.append((path, self.headers.get("Range")))
                faults = server.faults.get(path)
                data = server.files.get(path, b"")
                if faults:
                    faults.pop(0)(self, data)
                elif path in server.files:
                    server.serve(self, data)
                else:
                    self.send_error(404)

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.address = f"http://127.0.0.1:{self.http.server_address[1]}"

    def serve(self, handler: BaseHTTPRequestHandler, data: bytes) -> None:
        start = 0
        asked = handler.headers.get("Range")
        if asked and self.ranges:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
        handler.send_response(206 if start else 200)
        handler.send_header("Content-Length", str(len(data) - start))
        # Some servers call a .gz an encoding of what is in it; the bytes are wanted as they are.
        handler.send_header("Content-Encoding", "gzip")
        handler.end_headers()
        handler.wfile.write(data[start:])

    def stop(self) -> None:
        self.ended.set()
        self.http.shutdown()
        self.http.server_close()


@contextmanager
def serving() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.http.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        if not server.ended.is_set():
            server.stop()


def broken(handler: BaseHTTPRequestHandler, data: bytes) -> None:
    """Half the file, then the connection is closed."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    handler.wfile.write(data[: len(data) // 2])
    handler.close_connection = True


def stalled(handler: BaseHTTPRequestHandler, data: bytes) -> None:
    """Half the file, then nothing for longer than the tests' timeout."""
    broken(handler, data)
    handler.wfile.flush()
    time.sleep(3)


def truncated(handler: BaseHTTPRequestHandler, data: bytes) -> None:
    """Half the file, said to be the whole."""
    _answer(handler, 200, data[: len(data) // 2])


def wrong(handler: BaseHTTPRequestHandler, data: bytes) -> None:
    """Other bytes of the same length."""
    _answer(handler, 200, bytes(len(data)))


def web_page(handler: BaseHTTPRequestHandler, data: bytes) -> None:
    _answer(handler, 200, b"<html>Please log in</html>", "text/html; charset=utf-8")


def unwell(handler: BaseHTTPRequestHandler, data: bytes) -> None:
    handler.send_error(503, "Service Unavailable")


def in_circles(handler: BaseHTTPRequestHandler, data: bytes) -> None:
    handler.send_response(302)
    handler.send_header("Location", handler.path)
    handler.send_header("Content-Length", "0")
    handler.end_headers()


def elsewhere(handler: BaseHTTPRequestHandler, data: bytes) -> None:
    handler.send_response(302)
    handler.send_header("Location", "file:///etc/passwd")
    handler.send_header("Content-Length", "0")
    handler.end_headers()


def _answer(
    handler: BaseHTTPRequestHandler, status: int, data: bytes, kind: str = "application/gzip"
) -> None:
    handler.send_response(status)
    handler.send_header("Content-Type", kind)
    handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    handler.wfile.write(data)


def serve(server: Server, files: dict[str, bytes], folder: str = "mnist/") -> None:
    server.files = {folder + name: data for name, data in files.items()}
