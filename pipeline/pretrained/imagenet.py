"""What `pretrained_weights: imagenet` stands for, and the places it is fetched from, in order."""

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from pydantic import BaseModel, ConfigDict
from ruamel.yaml import YAML

from pipeline.datasets.fetch import cache_folder, has_md5
from pipeline.errors import PipelineError
from pipeline.pretrained import keras_file, wheel
from pipeline.pretrained.base import Arrays, digest
from pipeline.pretrained.weights import save_arrays
from pipeline.pretrained.weights_file import read_file
from pipeline.runtime import files

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


def fetch(wanted: Descriptor, say: Say) -> Arrays:
    """The 26 arrays with the descriptor's digest, from the first source that has them.

    The cache folder, Keras' cache, a mirror, Keras' address, the wheel. `say`
    gets a line for each source that was tried in vain.

    Raises:
        PipelineError: no source could be reached, or none held these arrays.
    """
    kept = _kept(wanted)
    if kept is not None:
        return kept
    tried: list[str] = []
    sources = _sources(wanted)
    for number, (name, get) in enumerate(sources, start=1):
        try:
            arrays = get()
            if arrays is not None and (found := digest(arrays)) != wanted.sha256:
                raise PipelineError(
                    f"{name} holds other arrays (SHA-256 {found}, expected {wanted.sha256}; "
                    "please report this)"
                )
        except PipelineError as error:
            tried.append(str(error))
            if number < len(sources):
                say(f"{error}; trying the next source")
            continue
        if arrays is not None:
            say(f"VGG16's ImageNet weights came from {name}")
            _keep(arrays, name, say)
            return arrays
    raise PipelineError(
        f"pretrained_weights: imagenet: not to be had ({'; '.join(tried)}). Ways out: a network, a "
        f"mirror's address in IMAGE_PIPELINE_MIRROR, {wanted.keras_file} in "
        f"{_short(keras_file.cached(''))}, a file of your own in place of imagenet, or none"
    )


def _sources(wanted: Descriptor) -> list[tuple[str, Callable[[], Arrays | None]]]:
    """A name and a function for each source; it returns None where there is nothing."""
    name = wanted.keras_file

    def in_keras_cache() -> Arrays | None:
        path = keras_file.cached(name)
        if not path.is_file():
            return None
        if not has_md5(path, wanted.keras_md5):
            raise PipelineError(f"{_short(path)} has another MD5 than {wanted.keras_md5}")
        return read_file(path, where=_short(path))

    def from_address(address: str) -> Arrays:
        with tempfile.TemporaryDirectory() as folder:
            path = keras_file.download(address, wanted.keras_md5, Path(folder))
            return read_file(path, where=keras_file.shown(address))

    return [
        (f"{name} in Keras' cache", in_keras_cache),
        *(
            (keras_file.shown(address), partial(from_address, address))
            for address in keras_file.addresses(name, wanted.keras_address)
        ),
        (
            f"the wheel {wanted.wheel} ({wanted.wheel_licence})",
            partial(wheel.fetch, wanted.wheel, wanted.wheel_member),
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
