"""Clients that no server wants, and good ones among them.

Each of eight kinds comes `times` times: no image, a truncated one, one that declares
100 megapixels and more, wrong JSON, 50 MB, no HTTP, a slow sender and one that leaves.
"""

import asyncio
import base64
import contextlib
import json
import struct
import zlib
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

HOST = "127.0.0.1"
TOGETHER = 8  # hostile clients at once, the slow ones aside
LEAVES = "leaves"
SLOW = "slow sender"
MOST_SECONDS = 60.0  # beyond this a client says that the server hangs


@dataclass
class Tally:
    """How often each hostile kind got each answer; and what the good requests got.

    An answer is a status, `closed` (the connection, without an answer) or `hangs`;
    `long` are those that are not one line.
    """

    hostile: dict[str, Counter[str]] = field(default_factory=dict)
    good: Counter[str] = field(default_factory=Counter)
    long: list[str] = field(default_factory=list)
    slowest: float = 0.0  # seconds, of the good ones

    @property
    def bad(self) -> list[str]:
        """What should not be: any answer but 4xx, a hang, a good request that was refused."""
        found = [
            f"{kind}: {answer}"
            for kind, answers in self.hostile.items()
            for answer in answers
            if not answer.startswith("4") and (kind, answer) != (LEAVES, "closed")
        ]
        return found + [f"good: {answer}" for answer in self.good if answer != "200"] + self.long


async def attack(port: int, photo: bytes, times: int = 25) -> Tally:
    """Send them all to 127.0.0.1:`port`; `photo` is a JPEG that the server should like."""
    tally = Tally()
    kinds = _kinds(photo)
    gate = asyncio.Semaphore(TOGETHER)

    async def one(kind: str) -> None:
        async with contextlib.nullcontext() if kind == SLOW else gate:
            answer = await _answer(port, kinds[kind])
        status = answer.split(" ", 2)[1] if answer.startswith("HTTP/1.1 ") else answer
        tally.hostile.setdefault(kind, Counter())[status] += 1
        _, _, body = answer.partition("\r\n\r\n")
        if body.strip().count("\n") or "Traceback" in body:
            tally.long.append(f"{kind}: {body[:200]}")

    async def good(until: asyncio.Event) -> None:
        clock = asyncio.get_running_loop().time
        while not until.is_set():
            started = clock()
            answer = await _answer(port, _sending(_post("image/jpeg", photo)))
            tally.slowest = max(tally.slowest, clock() - started)
            tally.good[answer.split(" ", 2)[1] if answer.startswith("HTTP") else answer] += 1
            await asyncio.sleep(0.02)

    over = asyncio.Event()
    friend = asyncio.create_task(good(over))
    await asyncio.gather(*(one(kind) for _ in range(times) for kind in kinds))
    over.set()
    await friend
    return tally


Client = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[str]]


def _kinds(photo: bytes) -> dict[str, Client]:
    huge = _png(10_001, 10_000)
    return {
        "no image": _sending(_json([b"hello"])),
        "truncated image": _sending(_json([photo[: len(photo) // 2]])),
        "100 megapixels": _sending(_post("image/png", huge)),
        "wrong JSON": _sending(_post("application/json", b'{"dataframe_records": [{')),
        "50 MB": _sending(_post("image/jpeg", b"\0" * (50 << 20))),
        "no HTTP": _sending(b"\x16\x03\x01\x02\x00 hello\r\n\r\n"),
        SLOW: _slowly(_post("image/jpeg", photo)),
        LEAVES: _leaving(_post("image/jpeg", photo)),
    }


async def _answer(port: int, client: Client) -> str:
    try:
        async with asyncio.timeout(MOST_SECONDS):
            reader, writer = await asyncio.open_connection(HOST, port)
            try:
                return await client(reader, writer)
            finally:
                writer.close()
    except TimeoutError:
        return "hangs"
    except OSError:
        return "closed"


def _sending(request: bytes) -> Client:
    async def send(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
        writer.write(request)
        await writer.drain()
        return await _all(reader)

    return send


def _slowly(request: bytes) -> Client:
    async def send(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
        answer = asyncio.create_task(_all(reader))
        for place in range(len(request) - 1):  # and never the last byte
            if answer.done():
                break
            writer.write(request[place : place + 1])
            await asyncio.sleep(0.2)
        return await answer

    return send


def _leaving(request: bytes) -> Client:
    async def send(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
        writer.write(request[: len(request) - 10])
        await writer.drain()
        writer.transport.abort()
        return "closed"

    return send


async def _all(reader: asyncio.StreamReader) -> str:
    found = await reader.read()
    return found.decode("latin-1") or "closed"


def _post(kind: str, body: bytes) -> bytes:
    head = f"POST /invocations HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n"
    return f"{head}Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def _json(images: Sequence[bytes]) -> bytes:
    rows = [{"image": base64.b64encode(image).decode()} for image in images]
    return _post("application/json", json.dumps({"dataframe_records": rows}).encode())


def _png(width: int, height: int) -> bytes:
    """The start of a grey PNG of this size, and nothing of its pixels."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = b"IDAT" + zlib.compress(b"\0")
    chunks = [struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c))
              for c in (header, data, b"IEND")]  # fmt: skip
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)
