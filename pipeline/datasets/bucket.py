"""Class folders of images below a prefix of an object store: s3://bucket/photos.

Read by fsspec (`make setup EXTRA=team`). Who may read, and where the store is, say AWS' own
environment variables and files; no such thing is a parameter. DVC keeps the objects' ETags
for the stage `download`, so that the next run notices a change.
"""

import hashlib
import io
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from pipeline.datasets.names import decode, is_hidden, shown
from pipeline.datasets.tree import Entry, Readable, Tree, check_image
from pipeline.errors import PipelineError

# Objects are fetched so many at a time, for the way to each takes longer than its bytes.
TOGETHER = 64
TOGETHER_BYTES = 64 << 20


class Bucket(Tree):
    """The objects below a prefix.

    Args:
        url: s3://bucket/prefix; the tests name a store of fsspec that is in memory.

    Raises:
        PipelineError: the store refuses, or there is nothing.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.title = url
        self.files: list[Entry] = []
        self.folders: set[str] = set()
        self.hidden = 0
        store, root = _open(url)
        digest = hashlib.sha256()
        with _in_one_line(url):
            # A folder at a time: an object's description is a kilobyte, and not kept.
            for folder, _, objects in store.walk(root, detail=True, on_error="raise"):
                below = folder.removeprefix(root).strip("/")
                for key in sorted(objects):
                    if key:  # a store's own mark of a folder has no name
                        self._take(f"{below}/{key}".lstrip("/"), objects[key], digest)
        self.fingerprint = digest.hexdigest()

    def open(self, entry: Entry) -> AbstractContextManager[Readable]:
        return next(self.read([entry]))

    def read(self, entries: Sequence[Entry]) -> Iterator[AbstractContextManager[Readable]]:
        start = 0
        while start < len(entries):
            stop, size = start + 1, entries[start].size
            while stop < len(entries) and stop - start < TOGETHER and size < TOGETHER_BYTES:
                size += entries[stop].size
                stop += 1
            places = [entry.place for entry in entries[start:stop]]
            with _in_one_line(self.url):
                found = _open(self.url)[0].cat(places)
            for place in places:
                yield nullcontext(io.BytesIO(found.pop(place)))
            start = stop

    def _take(self, key: str, described: dict[str, Any], digest: "hashlib._Hash") -> None:
        name = decode(key.encode("utf-8", "surrogateescape"), otherwise="latin-1")
        steps = name.split("/")
        if any(is_hidden(step) for step in steps):
            self.hidden += 1
            return
        self.folders |= {"/".join(steps[:depth]) for depth in range(1, len(steps))}
        size = int(described["size"] or 0)
        check_image(self.title, name, size)
        self.files.append(Entry(name, size, described["name"]))
        version = described.get("ETag") or described.get("created")
        digest.update(f"{name!a} {size} {version}\n".encode())


def _open(url: str) -> tuple[Any, str]:
    """fsspec's file system of a URL, without a memory of listings, and the place in it."""
    import fsspec

    store, root = fsspec.core.url_to_fs(url, use_listings_cache=False)
    return store, root.rstrip("/")


@contextmanager
def _in_one_line(url: str) -> Iterator[None]:
    """Turn what a store raises, which has many classes, into a PipelineError."""
    try:
        yield
    except PipelineError:
        raise
    except Exception as error:
        raise PipelineError(f"dataset: {url}: {_why(error)}") from None


def _why(error: Exception) -> str:
    kind = type(error).__name__
    if isinstance(error, FileNotFoundError):
        return "no such bucket or prefix"
    if isinstance(error, PermissionError):
        return "access denied to the credentials in the environment or in ~/.aws"
    if "Credentials" in kind:
        return "no credentials; the environment (AWS_ACCESS_KEY_ID …) or ~/.aws has to hold them"
    if "Endpoint" in kind or "Connect" in kind or "Timeout" in kind:
        return "the store cannot be reached; AWS_ENDPOINT_URL names another"
    return f"cannot be read ({kind}: {shown(str(error))})"
