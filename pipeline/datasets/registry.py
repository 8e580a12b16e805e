"""The named data sets. Each is one small YAML file in pipeline/datasets/named.

The file's name is the data set's name, without an ending: DVC's stage
`download` has the file itself as a dependency (`deps: ['${dataset}']` with
that folder as its working directory), so that a name and an absolute path
are written the same way in params.yaml.
"""

import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict
from ruamel.yaml import YAML

from pipeline.errors import PipelineError, did_you_mean

NAMED = Path(__file__).parent / "named"

# Of an object store's URL.
SCHEME = "s3://"
MISSING = "s3fs is not installed; type `make setup EXTRA=team`"

# Endings that stand behind the name of a data set, not in it.
ARCHIVE_ENDINGS = (
    ".tar.bz2",
    ".tar.gz",
    ".tar.xz",
    ".tar",
    ".tbz2",
    ".tgz",
    ".txz",
    ".zip",
)


class SourceFile(BaseModel):
    """One file of a data set: its name and its MD5 (hex).

    `contents` has what it unpacks to, in the order that the reader wants: names, which an
    archive may have in a folder, and the SHA-256 (hex) of the bytes. By these a copy is
    known that was packed another way; None where nobody has told us.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    md5: str
    contents: dict[str, str | None]


class Descriptor(BaseModel):
    """What is known of a named data set before it is fetched.

    `image_shape` is (height, width, channels); `reader` names the module of
    `pipeline.datasets.readers` that makes arrays of the files; `mirrored` says
    whether a mirrored image is still of its class; `mirrors` are base
    addresses that the files' names are joined to; `system_folder` is where the
    Debian package `package` puts the files.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str
    source: str
    licence: str
    reader: str
    image_shape: tuple[int, int, int]
    mirrored: bool
    classes: tuple[str, ...]
    files: tuple[SourceFile, ...] = ()
    mirrors: tuple[str, ...] = ()
    system_folder: str | None = None
    package: str | None = None


@dataclass(frozen=True)
class DataSource:
    """`dataset` of params.yaml, understood: a named set, a path of one's own, or the URL of a
    bucket."""

    name: str
    descriptor: Descriptor | None
    path: Path | None
    url: str | None = None


def folder() -> Path:
    """The folder of descriptors; IMAGE_PIPELINE_DESCRIPTORS names another (the tests do)."""
    return Path(os.environ.get("IMAGE_PIPELINE_DESCRIPTORS") or NAMED)


def names() -> list[str]:
    """The named data sets, sorted."""
    return sorted(path.name for path in folder().iterdir() if not path.name.startswith("."))


def descriptor(name: str) -> Descriptor:
    """Read the descriptor of a named data set."""
    return Descriptor.model_validate(YAML(typ="safe", pure=True).load(folder() / name))


def find(dataset: str) -> DataSource:
    """Tell a named data set from a path and from a bucket.

    Raises:
        PipelineError: neither a known name nor an absolute path that is there, nor a URL that
            can be read.
    """
    if dataset in names():
        return DataSource(dataset, descriptor(dataset), None)
    if dataset.startswith(SCHEME):
        return _bucket(dataset)
    path = Path(dataset)
    if path.is_absolute():
        if not path.exists():
            raise PipelineError(f"dataset: {dataset}: no such file or folder")
        return DataSource(_own_name(path), None, path)
    if "/" in dataset or path.exists() or dataset.startswith(("~", ".")):
        raise PipelineError(
            f"dataset: {dataset}: a path has to be absolute: {path.expanduser().absolute()}"
        )
    raise PipelineError(f"dataset: {dataset}: unknown data set{did_you_mean(dataset, names())}")


def _bucket(url: str) -> DataSource:
    steps = [step for step in url.removeprefix(SCHEME).split("/") if step]
    if not steps or "@" in steps[0]:
        raise PipelineError(
            f"dataset: expected {SCHEME}bucket/prefix, without credentials: the environment or "
            "~/.aws holds those"
        )
    if importlib.util.find_spec("s3fs") is None:
        raise PipelineError(f"dataset: {url}: {MISSING}")
    return DataSource(steps[-1], None, None, SCHEME + "/".join(steps))


def _own_name(path: Path) -> str:
    """The path's last name, an archive's without its ending."""
    name = path.name or "root"
    if path.is_file():
        for ending in ARCHIVE_ENDINGS:
            if name.lower().endswith(ending) and len(name) > len(ending):
                return name[: -len(ending)]
    return name
