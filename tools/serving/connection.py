"""uvicorn's connection, with a limit on the time of a request's headers, and a soft end."""

import asyncio
import contextlib
import json
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from tools.serving.limits import CODES, HEADER_SECONDS

LAST = (b"connection", b"close")
LAST_SECONDS = 1.0  # that an idle connection stays open when the server ends


class Connection(H11Protocol):
    """Closed with a line when it brings no request in time, or no HTTP at all."""

    _headers_until: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._start_clock()

    def data_received(self, data: bytes) -> None:
        if self._headers_until is None and self.conn.their_state is h11.IDLE:
            self._start_clock()  # of a later request on the same connection
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._stop_clock()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_clock()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        self._stop_clock()
        super().on_response_complete()

    def shutdown(self) -> None:
        """The server ends. A request that is on its way is answered all the same, and told that
        it is the last on this connection."""
        state = self.server_state
        if LAST not in state.default_headers:
            state.default_headers = [*state.default_headers, LAST]
        self.loop.call_later(LAST_SECONDS, self._close_if_idle)

    def _close_if_idle(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, "not HTTP/1.1, or headers that are too long")

    def _start_clock(self) -> None:
        self._headers_until = self.loop.call_later(HEADER_SECONDS, self._late)

    def _stop_clock(self) -> None:
        if self._headers_until is not None:
            self._headers_until.cancel()
            self._headers_until = None

    def _late(self) -> None:
        if not self.transport.is_closing() and self.conn.their_state is h11.IDLE:
            self._refuse(408, f"no request within {HEADER_SECONDS:g} s")

    def _refuse(self, status: int, message: str) -> None:
        body = json.dumps({"error_code": CODES[status], "message": message}).encode() + b"\n"
        headers = [
            ("content-type", "application/json"),
            ("content-length", str(len(body))),
            ("connection", "close"),
        ]
        with contextlib.suppress(h11.LocalProtocolError):  # an answer is under way already
            response = h11.Response(status_code=status, headers=headers)
            for event in (response, h11.Data(data=body), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
