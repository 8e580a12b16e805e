"""What `pretrained_weights: imagenet` stands for, and the places it is fetched from, in order."""

import os
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from pydantic import BaseModel, ConfigDict
from ruamel.yaml import YAML

from pipeline.errors import PipelineError
from pipeline.pretrained import wheel
from pipeline.pretrained.base import Arrays, digest
from pipeline.pretrained.weights import save_arrays
from pipeline.pretrained.weights_file import read_file
from pipeline.runtime import files
from pipeline.runtime.downloader import cache_folder, download, has_md5, mirrored, shown, timeout

NAMED = Path(__file__).parent / "named"

Say = Callable[[str], None]


class Descriptor(BaseModel):
    """pipeline/pretrained/named/imagenet: the arrays' digest, licence and sources."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str
    licence: str
    sha256: str
    keras_file: str
    keras_md5: str
    keras_address: str
    wheel: str
    wheel_licence: str
    wheel_member: str


def descriptor() -> Descriptor:
    """Read the descriptor."""
    return Descriptor.model_validate(YAML(typ="safe", pure=True).load(NAMED / "imagenet"))


def carrier() -> str | None:
    """Which source the cached arrays came from; None where none are cached.

    For the experiment's record: the outs do not hold it, for they are the same
    bytes from every source.
    """
    note = _cache_file().with_suffix(".source")
    return note.read_text(encoding="utf-8").strip() if note.exists() else None


def keras_cache() -> Path:
    """Where Keras keeps its files on this machine, whether there are any or not."""
    return Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser() / "models"


def fetch(wanted: Descriptor, say: Say) -> Arrays:
    """The 26 arrays, from the first source that has them.

    The cache folder, Keras' cache, a mirror, Keras' address, the wheel. Keras' own file,
    known by the MD5 in Keras' source, is the reference: whatever it holds is taken.
    All others must hold the arrays with the descriptor's digest. `say` gets a
    line for each source that was tried in vain.

    Raises:
        PipelineError: no source could be reached, or none held these arrays.
    """
    kept = _kept(wanted)
    if kept is not None:
        return kept
    tried: list[str] = []
    sources = _sources(wanted)
    for number, (name, get, is_reference) in enumerate(sources, start=1):
        try:
            arrays = get()
            if arrays is None:
                continue
            other = _other(arrays, name, wanted)
            if other and not is_reference:
                raise PipelineError(other)
        except PipelineError as error:
            tried.append(str(error))
            if number < len(sources):
                say(f"{error}; trying the next source")
            continue
        say(f"VGG16's ImageNet weights came from {name}")
        if other:
            say(f"{other}; used, for Keras' own file is the reference")
        else:
            _keep(arrays, name, say)
        return arrays
    raise PipelineError(
        f"pretrained_weights: imagenet: not to be had ({'; '.join(tried)}). Ways out: a network, a "
        f"mirror's address in IMAGE_PIPELINE_MIRROR, {wanted.keras_file} in "
        f"{_short(keras_cache())}, a file of your own in place of imagenet, or none"
    )


def _other(arrays: Arrays, name: str, wanted: Descriptor) -> str | None:
    """What to say of arrays that are not the descriptor's; None of those that are."""
    found = digest(arrays)
    if found == wanted.sha256:
        return None
    return (
        f"{name} holds other arrays (SHA-256 {found}, expected {wanted.sha256}; please report this)"
    )


def _sources(wanted: Descriptor) -> list[tuple[str, Callable[[], Arrays | None], bool]]:
    """For each source a name, a function, which returns None where there is nothing, and whether
    it gives Keras' own file."""
    name, seconds = wanted.keras_file, timeout()

    def in_keras_cache() -> Arrays | None:
        path = keras_cache() / name
        if not path.is_file():
            return None
        if not has_md5(path, wanted.keras_md5):
            raise PipelineError(f"{_short(path)} has another MD5 than {wanted.keras_md5}")
        return read_file(path, where=_short(path))

    def from_address(address: str) -> Arrays:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / name
            download(address, wanted.keras_md5, path, path.with_suffix(".part"), seconds)
            return read_file(path, where=shown(address))

    addresses = [*mirrored("vgg16", name), wanted.keras_address + name]
    return [
        (f"{name} in Keras' cache", in_keras_cache, True),
        *((shown(each), partial(from_address, each), True) for each in addresses),
        (
            f"a third party's copy, in the wheel {wanted.wheel} ({wanted.wheel_licence})",
            partial(wheel.fetch, wanted.wheel, wanted.wheel_member),
            False,
        ),
    ]


def _kept(wanted: Descriptor) -> Arrays | None:
    """The arrays of an earlier fetch, if they are whole."""
    path = _cache_file()
    if not path.is_file():
        return None
    try:
        arrays = read_file(path)
    except PipelineError:
        return None
    return arrays if digest(arrays) == wanted.sha256 else None


def _keep(arrays: Arrays, name: str, say: Say) -> None:
    """Keep the arrays for the next fetch; a cache that cannot be written to is said, no more."""
    path = _cache_file()
    try:
        save_arrays(path, arrays)
        files.write_text(path.with_suffix(".source"), name + "\n")
    except OSError as error:
        say(f"not kept in {path.parent} ({error.strerror}); IMAGE_PIPELINE_CACHE names another")


def _cache_file() -> Path:
    return cache_folder() / "vgg16_imagenet.npz"


def _short(path: Path) -> str:
    """The path with ~ for the home folder."""
    home = Path.home()
    return f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)
