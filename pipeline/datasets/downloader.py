"""One file from one address, for pooch: resumes where it stopped, and gives up with a reason."""

import shutil
from pathlib import Path
from typing import Any

import requests
import urllib3
from tqdm import tqdm

CONNECT_SECONDS = 10.0
_CHUNK = 1 << 16


class RefusedError(Exception):
    """The address will not give the file, however often it is asked."""


class Downloader:
    """Called by pooch with an address and the file to write to.

    What has come stands in `part`, and a retry or a later call asks for the
    rest (HTTP's Range). `timeout` is in seconds without a byte.
    """

    def __init__(self, part: Path, timeout: float) -> None:
        self.part = part
        self.timeout = timeout

    def __call__(self, url: str, output_file: Any, _: Any) -> None:
        """Write the whole file to `output_file`.

        Raises:
            RefusedError: 4xx, a web page, no such server, endless redirects.
            requests.exceptions.RequestException: a broken connection, a stall,
                5xx: another try may help.
        """
        self.part.parent.mkdir(parents=True, exist_ok=True)
        there = self.part.stat().st_size if self.part.exists() else 0
        headers = {"Accept-Encoding": "identity"}
        if there:
            headers["Range"] = f"bytes={there}-"
        timeout = (min(CONNECT_SECONDS, self.timeout), self.timeout)
        try:
            with requests.get(url, headers=headers, timeout=timeout, stream=True) as response:
                self._check(response)
                there *= response.status_code == requests.codes.partial_content
                self._receive(response, there)
        except requests.exceptions.ConnectionError as error:
            if _unreachable(error):
                raise RefusedError(reason(error, self.timeout)) from None
            raise
        except (
            requests.exceptions.TooManyRedirects,
            requests.exceptions.InvalidSchema,
            requests.exceptions.InvalidURL,
        ) as error:
            raise RefusedError(reason(error, self.timeout)) from None
        except urllib3.exceptions.HTTPError as error:
            raise requests.exceptions.ChunkedEncodingError(error) from None
        shutil.move(self.part, output_file)

    def _check(self, response: requests.Response) -> None:
        if response.status_code == requests.codes.range_not_satisfiable:
            self.part.unlink(missing_ok=True)
            response.raise_for_status()
        if 400 <= response.status_code < 500:
            raise RefusedError(f"{response.status_code} {response.reason}")
        response.raise_for_status()
        if "text/html" in response.headers.get("Content-Type", ""):
            raise RefusedError("a web page (text/html) in place of the file")

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
    found = [error]
    for one in found:
        inner = [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]
        found += [x for x in inner if isinstance(x, BaseException) and x not in found]
    return found


def reason(error: BaseException, timeout: float) -> str:
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
        return f"no connection within {min(CONNECT_SECONDS, timeout):g} s"
    if has(urllib3.exceptions.NewConnectionError):
        return "no connection"
    if has(requests.exceptions.ReadTimeout, urllib3.exceptions.ReadTimeoutError):
        return f"no byte for {timeout:g} s"
    if isinstance(error, ValueError) and not isinstance(error, requests.RequestException):
        return "another MD5 than it should have"
    return "the connection broke"
