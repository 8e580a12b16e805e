"""Fetching the files of a named data set: from the cache folder, the system, or a mirror.

IMAGE_PIPELINE_CACHE names the cache folder, IMAGE_PIPELINE_MIRROR an address
that is tried before the authors' own, IMAGE_PIPELINE_TIMEOUT the seconds
without a byte after which an address is given up (30).
"""

import contextlib
import gzip
import hashlib
import logging
import os
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pooch
import requests

from pipeline.datasets.downloader import Downloader, RefusedError, reason
from pipeline.datasets.registry import Descriptor, SourceFile
from pipeline.errors import PipelineError

RETRIES = 2


def cache_folder() -> Path:
    """Where fetched files are kept: IMAGE_PIPELINE_CACHE, or the system's cache folder."""
    named = os.environ.get("IMAGE_PIPELINE_CACHE")
    return Path(named) if named else Path(pooch.os_cache("image-classification-pipeline"))


def fetch(
    name: str, descriptor: Descriptor, parts: Path, say: Callable[[str], None]
) -> dict[str, Path]:
    """Where each file of the data set is, by its name; every one has its digest.

    `parts` is a folder for what has been fetched of a file: a killed download
    goes on from there. A download that fails leaves nothing.

    Raises:
        PipelineError: a file that no place has; it names the ways out.
    """
    found: dict[str, Path] = {}
    for file in descriptor.files:
        cached = cache_folder() / name / file.name
        if cached.is_file():
            if has_md5(cached, file.md5):
                found[file.name] = cached
                continue
            say(f"{cached} has another MD5 than {file.md5}; not used")
        path = _on_this_system(descriptor, file, say) or _download(name, descriptor, file, parts)
        found[file.name] = path
    return found


def has_md5(path: Path, md5: str) -> bool:
    """Whether a file has this MD5 (hex)."""
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest() == md5


def _on_this_system(
    descriptor: Descriptor, file: SourceFile, say: Callable[[str], None]
) -> Path | None:
    """The file as a package of the system has put it there, packed or not."""
    if not descriptor.system_folder or not file.unpacked_sha256:
        return None
    folder = Path(descriptor.system_folder)
    for path in (folder / file.name, folder / file.name.removesuffix(".gz")):
        if path.is_file():
            if _unpacked_sha256(path) == file.unpacked_sha256:
                return path
            say(f"{path} has other contents than {descriptor.title}; not used")
    return None


def _unpacked_sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    try:
        with gzip.open(path) if packed else path.open("rb") as source:
            while chunk := source.read(1 << 20):
                digest.update(chunk)
    except (OSError, EOFError, zlib.error) as error:
        return str(error)
    return digest.hexdigest()


def _download(name: str, descriptor: Descriptor, file: SourceFile, parts: Path) -> Path:
    """Fetch one file into the cache folder from the first address that has it."""
    folder = cache_folder() / name
    _make_writable(folder)
    logging.getLogger("pooch").setLevel(logging.WARNING)
    timeout = _timeout()
    tried: list[str] = []
    for address in _addresses(name, descriptor, file):
        part = parts / f"{file.name}.part"
        store = pooch.create(
            path=folder,
            base_url="",
            registry={file.name: f"md5:{file.md5}"},
            urls={file.name: address},
            retry_if_failed=RETRIES,
        )
        try:
            return Path(store.fetch(file.name, downloader=Downloader(part, timeout)))
        except RefusedError as error:
            tried.append(f"{address}: {error}")
        except (ValueError, requests.exceptions.RequestException) as error:
            tried.append(f"{address}: {reason(error, timeout)}")
    with contextlib.suppress(OSError):  # an empty folder is not to stay, one with files is
        folder.rmdir()
    raise PipelineError(_ways_out(name, descriptor, file, tried))


def _addresses(name: str, descriptor: Descriptor, file: SourceFile) -> list[str]:
    """The mirror's addresses (mnist/FILE, for some sets' files have the same names, and FILE),
    then the authors'."""
    addresses = [f"{base.rstrip('/')}/{file.name}" for base in descriptor.mirrors]
    mirror = os.environ.get("IMAGE_PIPELINE_MIRROR")
    if not mirror:
        return addresses
    if not mirror.startswith(("http://", "https://")):
        raise PipelineError(
            f"IMAGE_PIPELINE_MIRROR: {mirror}: expected an address with http:// or https://"
        )
    base = mirror.rstrip("/")
    return [f"{base}/{name}/{file.name}", f"{base}/{file.name}", *addresses]


def _timeout() -> float:
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


def _make_writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise PipelineError(
            f"{folder}: cannot be written to ({error.strerror}); name another cache folder "
            "in IMAGE_PIPELINE_CACHE"
        ) from None


def _ways_out(name: str, descriptor: Descriptor, file: SourceFile, tried: list[str]) -> str:
    package = f", `apt-get install {descriptor.package}` (Debian)" if descriptor.package else ""
    return (
        f"dataset: {name}: {file.name} could not be fetched ({'; '.join(tried) or 'no address'}). "
        f"Ways out: a mirror's address in IMAGE_PIPELINE_MIRROR{package}, the file itself "
        f"(MD5 {file.md5}) at {cache_folder() / name / file.name}, or a data set that needs no "
        "network (mnist_5k, digits)"
    )
