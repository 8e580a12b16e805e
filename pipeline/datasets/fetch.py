"""The files of a named data set: from the cache folder, the system, or an address."""

import contextlib
import tempfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from pipeline.datasets.contents import contents, sha256, without_packing
from pipeline.datasets.registry import Descriptor, SourceFile
from pipeline.errors import PipelineError
from pipeline.runtime.downloader import cache_folder, download, has_digest, mirrored, timeout

Say = Callable[[str], None]


def fetch(name: str, descriptor: Descriptor, parts: Path, say: Say) -> dict[str, Path]:
    """Where each file of the data set is, by its published name; every one has its digest.

    That is a file with the published MD5, or whatever holds the contents with
    their published SHA-256: a folder, or a file that is packed another way.

    Args:
        parts: a folder for what has been fetched of a file: a killed download goes on from
            there. A download that fails leaves nothing.
        say: gets a line for each place that holds something else.

    Raises:
        PipelineError: a file that no place has; it names the ways out.
    """
    places = [cache_folder() / name]
    if descriptor.system_folder:
        places.append(Path(descriptor.system_folder))
    found: dict[str, Path] = {}
    for file in descriptor.files:
        candidates = [path for place in places for path in _candidates(place, file)]
        path = _first(candidates, descriptor, file, say)
        found[file.name] = path or _download(name, descriptor, file, parts)
    return found


def _candidates(place: Path, file: SourceFile) -> list[Path]:
    """What may hold the file's contents: the file under its own name, archives of other names,
    the folders for what is in them unpacked."""
    if not place.is_dir():
        return []
    published = place / file.name
    single = {PurePosixPath(name).name for name in file.contents}
    archives = [
        path
        for path in sorted(place.iterdir())
        if path.is_file() and path != published and without_packing(path.name) not in single
    ]
    folders = [path for path in sorted(place.rglob("*")) if path.is_dir()]
    return [*([published] if published.is_file() else []), *archives, place, *folders]


def _first(
    candidates: list[Path], descriptor: Descriptor, file: SourceFile, say: Say
) -> Path | None:
    """The first that is the file, by its MD5 or by its contents; of what only seems to be it is
    said why it is not."""
    said: set[Path] = set()  # of a folder nothing more is said after one of its files
    for path in candidates:
        why = _why_not(path, descriptor, file)
        if why is None:
            return path
        if why and path not in said:
            say(f"{why}; not used")
            said.add(path.parent)
    return None


def _why_not(path: Path, descriptor: Descriptor, file: SourceFile) -> str | None:
    """None for the file itself, '' for what has nothing to do with it."""
    if path.is_file() and has_digest(path, file.md5):
        return None
    has_its_name = path.name == file.name
    if None in file.contents.values():
        return f"{path} has another MD5 than {file.md5}" if has_its_name else ""
    missing, wrong = dict(file.contents), []
    try:
        for name, data in contents(path, file.contents):
            if sha256(data) != missing.pop(name):
                wrong.append(name)
    except PipelineError as error:
        return f"{path.parent}/{error}"
    if wrong:
        which = f" ({wrong[0]})" if len(file.contents) > 1 or path.is_dir() else ""
        return f"{path} has other contents than {descriptor.title}{which}"
    if missing:
        seems = has_its_name or len(missing) < len(file.contents)
        return f"{path}: {next(iter(missing))} is not in it" if seems else ""
    return None


def _download(name: str, descriptor: Descriptor, file: SourceFile, parts: Path) -> Path:
    """Fetch one file into the cache folder from the first address that has it."""
    path = cache_folder() / name / file.name
    _make_writable(path.parent)
    authors = [f"{base.rstrip('/')}/{file.name}" for base in descriptor.mirrors]
    seconds = timeout()
    tried: list[str] = []
    for address in [*mirrored(name, file.name), *authors]:
        try:
            download(address, file.md5, path, parts / f"{file.name}.part", seconds)
            return path
        except PipelineError as error:
            tried.append(str(error))
    with contextlib.suppress(OSError):  # an empty folder is not to stay, one with files is
        path.parent.rmdir()
    raise PipelineError(_ways_out(name, descriptor, file, tried))


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
    packed = (
        ""
        if None in file.contents.values()
        else " (or its contents in that folder, however packed)"
    )
    return (
        f"dataset: {name}: {file.name} could not be fetched ({'; '.join(tried) or 'no address'}). "
        f"Ways out: a mirror's address in IMAGE_PIPELINE_MIRROR{package}, the file itself "
        f"(MD5 {file.md5}) at {cache_folder() / name / file.name}{packed}, or a data set that "
        "needs no network (mnist_5k, digits)"
    )
