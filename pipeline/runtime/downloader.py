"""One file from one address: resumed where it stopped, checked, given up with a reason.

IMAGE_PIPELINE_CACHE names the folder that keeps what was fetched, IMAGE_PIPELINE_MIRROR
an address that is tried before the authors' own, IMAGE_PIPELINE_TIMEOUT the seconds
without a byte after which an address is given up (30).
"""

import hashlib
import os
import queue
import shutil
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pooch
import requests
import urllib3
from tqdm import tqdm

from pipeline.errors import PipelineError

RETRIES = 2
ANSWER_SECONDS = 10.0  # for the name, all its addresses, proxies and redirects together
_CHUNK = 1 << 16


def cache_folder() -> Path:
    """Where fetched files are kept: IMAGE_PIPELINE_CACHE, or the system's cache folder."""
    named = os.environ.get("IMAGE_PIPELINE_CACHE")
    return Path(named or pooch.os_cache("image-classification-pipeline"))


def mirrored(folder: str, name: str) -> list[str]:
    """The addresses of a file on the mirror: in a folder, for some files have the same names, and
    without one. Empty where no mirror is named.

    Raises:
        PipelineError: IMAGE_PIPELINE_MIRROR is no address.
    """
    mirror = os.environ.get("IMAGE_PIPELINE_MIRROR", "").rstrip("/")
    if not mirror:
        return []
    if not mirror.startswith(("http://", "https://")):
        raise PipelineError(
            f"IMAGE_PIPELINE_MIRROR: {mirror}: expected an address with http:// or https://"
        )
    return [f"{mirror}/{folder}/{name}", f"{mirror}/{name}"]


def timeout() -> float:
    """IMAGE_PIPELINE_TIMEOUT in seconds, checked."""
    given = os.environ.get("IMAGE_PIPELINE_TIMEOUT", "30")
    try:
        seconds = float(given)
    except ValueError:
        seconds = 0
    if not 0 < seconds < 1e6:
        raise PipelineError(
            f"IMAGE_PIPELINE_TIMEOUT: {given}: expected a number of seconds above 0"
        )
    return seconds


def has_digest(path: Path, digest: str) -> bool:
    """Whether a file has this MD5 or SHA-256 (hex)."""
    found = hashlib.new(_algorithm(digest), usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            found.update(chunk)
    return found.hexdigest() == digest


def _algorithm(digest: str) -> str:
    return "md5" if len(digest) == 32 else "sha256"


def shown(address: str) -> str:
    """An address as it may stand in a message: without a password or a token."""
    parts = urlsplit(address)
    return urlunsplit((parts.scheme, parts.netloc.rsplit("@", 1)[-1], parts.path, "", ""))


def download(address: str, digest: str | None, path: Path, part: Path, timeout: float) -> None:
    """Fetch a file to `path`, whole and checked, with a progress bar.

    Args:
        digest: MD5 or SHA-256 (hex); None takes whatever comes.
        part: holds what has come so far; a retry or a later call asks for the rest (HTTP's Range).
        timeout: seconds without a byte.

    Raises:
        PipelineError: no answer in time, a broken or stalled connection, a refusal, or another
            digest; it begins with the address.
    """
    pooch.get_logger().setLevel("WARNING")  # the bar says enough, and no password
    store = pooch.create(
        path=path.parent,
        base_url="",
        registry={path.name: digest and f"{_algorithm(digest)}:{digest}"},
        urls={path.name: address},
        retry_if_failed=RETRIES,
    )
    try:
        store.fetch(path.name, downloader=_Downloader(part, timeout))
    except _RefusedError as error:
        why = str(error)
    except (ValueError, requests.exceptions.RequestException) as error:
        why = _reason(error, timeout)
    else:
        return
    raise PipelineError(f"{shown(address)}: {why}")


class _RefusedError(Exception):
    """The address will not give the file, however often it is asked."""


class _Downloader:
    """Called by pooch with an address and the file to write to; `timeout` is in seconds
    without a byte."""

    def __init__(self, part: Path, timeout: float) -> None:
        self.part = part
        self.timeout = timeout

    def __call__(self, url: str, output_file: Any, _: Any) -> None:
        """Write the whole file to `output_file`.

        Raises:
            _RefusedError: 4xx, a web page, no such server, no answer, endless redirects.
            RequestException: a broken connection, a stall, 5xx: another try may help.
        """
        self.part.parent.mkdir(parents=True, exist_ok=True)
        there = self.part.stat().st_size if self.part.exists() else 0
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={there}-"} if there else {})
        try:
            with self._ask(url, headers) as response:
                self._check(response)
                there *= response.status_code == requests.codes.partial_content
                self._receive(response, there)
        except requests.exceptions.ConnectionError as error:
            if _unreachable(error):
                raise _RefusedError(_reason(error, self.timeout)) from None
            raise
        except (
            requests.exceptions.TooManyRedirects,
            requests.exceptions.InvalidSchema,
            requests.exceptions.InvalidURL,
        ) as error:
            raise _RefusedError(_reason(error, self.timeout)) from None
        except urllib3.exceptions.HTTPError as error:
            raise requests.exceptions.ChunkedEncodingError(error) from None
        shutil.move(self.part, output_file)

    def _ask(self, url: str, headers: dict[str, str]) -> requests.Response:
        """The head of the answer, within ANSWER_SECONDS.

        The timeout of `requests` counts for each address of a name anew and not for the
        look-up, so that an offline machine could wait for minutes: a thread asks
        instead, and is left alone when it takes longer.
        """
        answers: queue.Queue[requests.Response | Exception] = queue.Queue()
        timeout = (min(ANSWER_SECONDS, self.timeout), self.timeout)

        def ask() -> None:
            try:
                answers.put(requests.get(url, headers=headers, timeout=timeout, stream=True))
            except Exception as error:  # raised again by the thread that waits
                answers.put(error)

        threading.Thread(target=ask, daemon=True).start()
        try:
            answer = answers.get(timeout=ANSWER_SECONDS)
        except queue.Empty:
            raise _RefusedError(f"no answer within {ANSWER_SECONDS:g} s") from None
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _check(self, response: requests.Response) -> None:
        if response.status_code == requests.codes.range_not_satisfiable:
            self.part.unlink(missing_ok=True)
            response.raise_for_status()
        if 400 <= response.status_code < 500:
            raise _RefusedError(f"{response.status_code} {response.reason}")
        response.raise_for_status()
        if "text/html" in response.headers.get("Content-Type", ""):
            raise _RefusedError("a web page (text/html) in place of the file")

    def _receive(self, response: requests.Response, there: int) -> None:
        length = response.headers.get("Content-Length", "")
        with (
            self.part.open("ab" if there else "wb") as file,
            tqdm(
                desc=self.part.stem,
                total=there + int(length) if length.isdigit() else None,
                initial=there,
                unit="B",
                unit_scale=True,
                mininterval=0.5,
            ) as bar,
        ):
            # The raw bytes, for a server may call the .gz itself an encoding; and each as
            # soon as it comes, so that a stall loses none.
            while chunk := response.raw.read1(_CHUNK, decode_content=False):
                file.write(chunk)
                bar.update(len(chunk))


def _unreachable(error: requests.exceptions.ConnectionError) -> bool:
    """Whether there was no connection at all, so that another try is of no use."""
    return isinstance(error, requests.exceptions.ConnectTimeout) or any(
        isinstance(cause, urllib3.exceptions.NewConnectionError) for cause in _causes(error)
    )


def _causes(error: BaseException) -> list[BaseException]:
    """What the libraries have wrapped into an exception, itself included."""
    for one in (found := [error]):
        inner = [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]
        found += [x for x in inner if isinstance(x, BaseException) and x not in found]
    return found


def _reason(error: BaseException, timeout: float) -> str:
    """Why a download failed, in a few words."""
    causes = _causes(error)

    def has(*kinds: type[BaseException]) -> bool:
        return any(isinstance(cause, kinds) for cause in causes)

    response = getattr(error, "response", None)
    if response is not None and response.status_code >= 400:
        return f"{response.status_code} {response.reason}"
    if has(requests.exceptions.TooManyRedirects):
        return "redirects without end"
    if has(requests.exceptions.InvalidSchema, requests.exceptions.InvalidURL):
        return "an address that is neither http nor https"
    if has(urllib3.exceptions.NameResolutionError):
        return "no such server, or no network"
    if has(requests.exceptions.ConnectTimeout):
        return f"no connection within {min(ANSWER_SECONDS, timeout):g} s"
    if has(requests.exceptions.ReadTimeout, urllib3.exceptions.ReadTimeoutError):
        return f"no byte for {timeout:g} s"
    if isinstance(error, ValueError) and not isinstance(error, requests.RequestException):
        return "another digest than it should have"
    refused = has(urllib3.exceptions.NewConnectionError)
    return "no connection" if refused else "the connection broke"
