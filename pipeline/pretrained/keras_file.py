"""Keras' own file of VGG16's base: in Keras' cache, from a mirror, or from its address."""

import logging
import os
import queue
import threading
from pathlib import Path
from urllib.parse import urlsplit

import pooch
import requests

from pipeline.datasets.downloader import Downloader, RefusedError, reason
from pipeline.errors import PipelineError

# For names, all addresses of a name, proxies and redirects together.
CONNECT_SECONDS = 10.0
# Without a byte, once there is a connection.
STALLED_SECONDS = 30.0


def cached(name: str) -> Path:
    """Where Keras keeps the file on this machine, whether it is there or not."""
    home = os.environ.get("KERAS_HOME") or "~/.keras"
    return Path(home).expanduser() / "models" / name


def addresses(name: str, keras_address: str) -> list[str]:
    """Where the file is asked for: the mirror of IMAGE_PIPELINE_MIRROR, then Keras' address."""
    mirror = os.environ.get("IMAGE_PIPELINE_MIRROR", "").rstrip("/")
    bases = [f"{mirror}/vgg16/", f"{mirror}/"] if mirror else []
    return [base + name for base in (*bases, keras_address)]


def shown(address: str) -> str:
    """'FILE from HOST': an address without a password that may stand in it."""
    parts = urlsplit(address)
    return f"{parts.path.rsplit('/', 1)[-1]} from {parts.netloc.rsplit('@', 1)[-1] or address}"


def download(address: str, md5: str, folder: Path) -> Path:
    """Fetch the file into `folder`, checked, with a progress bar.

    Raises:
        PipelineError: no answer in ten seconds, a broken or stalled
            connection, a refusal, or another MD5.
    """
    name, where = address.rsplit("/", 1)[-1], shown(address)
    logging.getLogger("pooch").setLevel(logging.WARNING)  # the bar says enough
    downloader = Downloader(folder / f"{name}.part", STALLED_SECONDS)
    try:
        _wait_for_answer(address)
        path = pooch.retrieve(
            address, known_hash=f"md5:{md5}", fname=name, path=folder, downloader=downloader
        )
    except RefusedError as error:
        raise PipelineError(f"{where}: {error}") from None
    except TimeoutError:  # of _wait_for_answer
        raise PipelineError(f"{where}: no answer within {CONNECT_SECONDS:g} s") from None
    except (ValueError, requests.RequestException) as error:
        raise PipelineError(f"{where}: {reason(error, STALLED_SECONDS)}") from None
    return Path(path)


def _wait_for_answer(address: str) -> None:
    """Ask for the head of the file; any answer will do, within CONNECT_SECONDS.

    The timeout of `requests` counts for each address of a name anew and not
    for the look-up, so that an offline machine could wait for minutes: a
    thread is asked instead, and left alone when it takes longer.
    """
    answers: queue.Queue[Exception | None] = queue.Queue()

    def ask() -> None:
        try:
            requests.head(address, timeout=CONNECT_SECONDS)
            answers.put(None)
        except Exception as error:  # raised again by the thread that waits
            answers.put(error)

    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=CONNECT_SECONDS)
    except queue.Empty:
        raise TimeoutError from None
    if isinstance(answer, requests.Timeout):
        raise TimeoutError from None
    if answer is not None:
        raise answer
