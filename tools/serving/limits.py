"""What the modules of a worker share: what a request may cost, and how one is refused."""

from dataclasses import dataclass

MOST_IMAGES = 1024  # in a request, or waiting in a worker beside it
MOST_PARTS = 1 << 20  # brackets and commas of a JSON body: a Python object of 60 bytes each
READY = "ready"  # a worker's line to the server when it can answer; any other is to be shown
HEADER_SECONDS = 10.0  # from the first byte of a request to the end of its headers


@dataclass(frozen=True)
class Limits:
    """Of one request: bytes of its body, pixels that its images declare, seconds until its
    answer; and how long an image waits for others that it can be computed with."""

    bytes: int = 32 << 20
    pixels: int = 100_000_000
    seconds: float = 30.0
    batch: int = 32
    wait: float = 0.002


class RefusedError(Exception):
    """The request's own fault, or that of too many: an HTTP status from 400 to 499, one line."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(" ".join(message.split())[:300])
        self.status = status


CODES = {
    400: "INVALID_PARAMETER_VALUE",  # the names are MLflow's
    401: "UNAUTHENTICATED",
    404: "ENDPOINT_NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    408: "REQUEST_TIMEOUT",
    413: "REQUEST_LIMIT_EXCEEDED",
    415: "UNSUPPORTED_MEDIA_TYPE",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL_ERROR",
}
