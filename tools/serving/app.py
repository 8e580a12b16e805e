"""The server's pages, as an ASGI application: what a worker answers.

    POST /invocations    images in, classes out (see `bodies` for what is taken)
    GET  /ping, /health  200 while it can answer
    GET  /version        the model: run, digests, classes, what computes it
    GET  /metrics        for Prometheus

A refused request gets a status from 400 to 499 and one line as MLflow's server
gives it: {"error_code": "…", "message": "…"}.
"""

import asyncio
import hmac
import json
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from tools.serving import bodies
from tools.serving.classifying import Classifying
from tools.serving.figures import Figures
from tools.serving.limits import CODES, Limits, RefusedError

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
JSON = "application/json"
HELD = 8  # bodies of the largest size in a worker's memory at once
DRAINED = 4  # of a body that is too large so many times the limit is read, so that the client
# sees the answer in place of a broken connection


class App:
    """Answers one model's requests.

    Args:
        version: what /version says.
        token: what a request must carry as `Authorization: Bearer TOKEN`; "" for none.
        say: called with a line when the server itself is at fault.
    """

    def __init__(
        self,
        classifying: Classifying,
        limits: Limits,
        version: Mapping[str, Any],
        token: str,
        say: Callable[[str], None],
    ) -> None:
        self.classifying = classifying
        self._limits = limits
        self._version = version
        self._token = token.encode()
        self._say = say
        self._figures = Figures()
        self._held = 0
        classifying.on_batch(self._figures.batch.observe)

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        path = scope["path"]
        headers = dict(scope["headers"])
        self.classifying.open_requests += 1
        try:
            status, kind, body = 200, JSON, await self._answer(scope, headers, receive)
            if isinstance(body, tuple):
                body, kind = body
        except RefusedError as error:
            status, kind, body = error.status, JSON, _refusal(error.status, str(error))
        except _GoneError:
            status, kind, body = 499, JSON, b""  # nginx's word for it: the client has left
        except Exception as error:  # a bug: one line here, and one there
            said = " ".join(f"{type(error).__name__}: {error}".split())
            self._say(f"{path}: {said}"[:1000])
            status, kind, body = 500, JSON, _refusal(500, "an error of the server's own")
        finally:
            self.classifying.open_requests -= 1
        known = path if path in _PAGES else "other"
        self._figures.requests.labels(known, str(status)).inc()
        if known == "/invocations":
            self._figures.seconds.observe(time.perf_counter() - started)
        if status == 499:
            return
        sent = [(b"content-type", kind.encode()), (b"content-length", b"%d" % len(body))]
        if status == 405:
            sent.append((b"allow", _PAGES[path].encode()))
        elif status == 401:
            sent.append((b"www-authenticate", b"Bearer"))
        elif status in (408, 413):  # the rest of its body is not read
            sent.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": status, "headers": sent})
        await send({"type": "http.response.body", "body": body})

    async def _answer(
        self, scope: Mapping[str, Any], headers: Mapping[bytes, bytes], receive: Receive
    ) -> Any:
        """The body of the answer; with its content type where that is not JSON."""
        path, method = scope["path"], scope["method"]
        if path not in _PAGES:
            raise RefusedError(404, f"no such page; there are {', '.join(_PAGES)}")
        if method != _PAGES[path] and (method, _PAGES[path]) != ("HEAD", "GET"):
            raise RefusedError(405, f"{path} is asked by {_PAGES[path]}")
        if path in ("/ping", "/health"):
            return b'{"status":"ok"}\n'
        self._check_token(headers)
        if path == "/version":
            return _json(self._version)
        if path == "/metrics":
            return self._figures.page()
        return await self._invocations(headers, receive)

    def _check_token(self, headers: Mapping[bytes, bytes]) -> None:
        given = headers.get(b"authorization", b"")
        if self._token and not hmac.compare_digest(given, b"Bearer " + self._token):
            raise RefusedError(401, "send the header Authorization: Bearer TOKEN")

    async def _invocations(self, headers: Mapping[bytes, bytes], receive: Receive) -> bytes:
        until = asyncio.get_running_loop().time() + self._limits.seconds
        seconds = f"{self._limits.seconds:g} s"
        held = [0]
        try:
            try:
                async with asyncio.timeout_at(until):
                    body = await self._body(headers, receive, held)
            except TimeoutError:
                raise RefusedError(408, f"the body was not sent within {seconds}") from None
            try:
                async with asyncio.timeout_at(until):
                    kind = headers.get(b"content-type", b"").decode("latin-1")
                    given = lambda: bodies.encoded_images(kind, body)  # noqa: E731
                    predictions = await self.classifying.classify(given, len(body))
            except TimeoutError:
                raise RefusedError(429, f"busy: not answered within {seconds}; ask later") from None
        finally:
            self._held -= held[0]
        for one in predictions:
            self._figures.images.labels(one["class"]).inc()
        return _json({"predictions": predictions})

    async def _body(
        self, headers: Mapping[bytes, bytes], receive: Receive, held: list[int]
    ) -> bytes:
        """The body, whole; what is kept of it is counted in `held` until the answer."""
        most = self._limits.bytes
        said = int(headers.get(b"content-length", b"0"))
        refused = RefusedError(413, f"over {most / (1 << 20):g} MB; send fewer or smaller images")
        if said > most and b"expect" in headers:  # the client waits before it sends the body
            raise refused
        chunks: list[bytes] = []
        read = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _GoneError
            chunk = message.get("body", b"")
            read += len(chunk)
            if max(read, said) <= most:
                held[0] += len(chunk)
                self._held += len(chunk)
                chunks.append(chunk)
            else:
                chunks.clear()
            if self._held > HELD * most:
                raise RefusedError(429, "busy: too much is being sent; ask later")
            if not message.get("more_body") or read > DRAINED * most:
                break
        if max(read, said) > most:
            raise refused
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)


class _GoneError(Exception):
    """The client has closed the connection."""


_PAGES = {
    "/invocations": "POST",
    "/ping": "GET",
    "/health": "GET",
    "/version": "GET",
    "/metrics": "GET",
}


def _refusal(status: int, message: str) -> bytes:
    return _json({"error_code": CODES[status], "message": message})


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
