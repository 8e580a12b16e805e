"""Install the locks that are asked for into the environment that runs this; see `make setup`.

A lock is named for what it holds: `run` all that a run needs but TensorFlow, `cpu` or `gpu`
the one TensorFlow or the other, `dev` what tests need on top, and an extra what it adds. What
an environment is made of is kept in it (`.requirements`) and stands; more is added by name,
and `cpu` by name goes back to the small one. uv installs, by hash; where it cannot, pip does.
"""

import contextlib
import difflib
import fcntl
import hashlib
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path

from pip_settings import UntranslatedError, pip_settings, uv_environment

LOCKS = Path(__file__).parent
VENV = Path(sys.prefix)
STATE = VENV / ".requirements"  # the names of the locks, in words
STAMP = VENV / ".installed"  # a digest of those locks; there when all of it is
UNDERWAY = VENV / ".installing"  # there while it is not
TENSORFLOWS = {"cpu", "gpu"}
WARNING = "setup: {}: on Linux the package brings CUDA's libraries, GPU or not"
BRINGS_CUDA = {"torch"}
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check"]


class FailedError(Exception):
    """What cannot be done, in a line."""


def choose(asked: Iterable[str], before: set[str]) -> set[str]:
    """The names of the locks, from those that were typed and those that were there.

    Raises:
        FailedError: an unknown name, or two that exclude each other.
    """
    asked = set(asked)
    known = sorted(path.stem for path in LOCKS.glob("*.lock") if path.stem not in ("run", "uv"))
    for name in sorted(asked.difference(known)):
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise FailedError(f"EXTRA={name}: unknown{hint} (there are: {', '.join(known)})")
    if asked >= TENSORFLOWS:
        raise FailedError("EXTRA: cpu and gpu exclude each other; name one")
    if "cpu" in asked:
        before = before & {"dev"}
    elif "gpu" in asked:
        before = before - {"cpu"}
    names = {"run"} | before.intersection(known) | asked
    return names if names & TENSORFLOWS else names | {"cpu"}


def ordered(names: Iterable[str]) -> list[str]:
    """The names as they are said and kept: what runs, TensorFlow, the extras, the tests."""
    ranks = ["run", *sorted(TENSORFLOWS), None, "dev"]
    return sorted(
        names, key=lambda name: (ranks.index(name) if name in ranks else ranks.index(None), name)
    )


def lock(name: str) -> Path:
    return LOCKS / f"{name}.lock"


def packages(names: Iterable[str]) -> set[str]:
    """The names of the packages in some locks."""
    text = "".join(lock(name).read_text() for name in names)
    return set(re.findall(r"^([\w.-]+)==", text, re.MULTILINE))


def megabytes(name: str) -> int:
    """What a lock adds to download, as its first line says; 0 where it says nothing."""
    found = re.match(r"# (\d+) MB ", lock(name).read_text())
    return int(found[1]) if found else 0


def digest(names: Iterable[str]) -> str:
    content = b"\0".join(lock(name).read_bytes() for name in ordered(names))
    return hashlib.sha256(content).hexdigest()


def announce(names: set[str], new: set[str]) -> None:
    """Say what is installed, and what it costs, before anything is fetched."""
    for name in sorted(new & BRINGS_CUDA) if sys.platform == "linux" else ():
        print(WARNING.format(name))
    size = sum(map(megabytes, new))
    least = f" (up to {size:,} MB to download)" if size else ""
    print(f"setup: installing {', '.join(ordered(names))}{least}", flush=True)


def installed(name: str) -> str | None:
    """The version of a package in this environment; None if it is not there."""
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        return importlib.metadata.version(name)
    return None


def remove(names: Iterable[str]) -> None:
    """Uninstall those of some packages that are there."""
    there = sorted(name for name in names if installed(name))
    if there:
        subprocess.run([*PIP, "uninstall", "--quiet", "--yes", *there], check=True)


def reason(output: str) -> str:
    """The gist of an error in a few words, without addresses: they may hold a password."""
    lines = [line.strip(" ×╰─▶│├·:") for line in output.splitlines() if line.strip(" ×╰─▶│├·:")]
    errors = [line for line in lines if line.lower().startswith("error")] or lines[:1]
    text = " ".join((errors or ["no reason given"])[-1].split())
    return re.sub(r"\b\w+://\S+", "…", text.removeprefix("ERROR:").removeprefix("error:")).strip()


def forget_halves() -> None:
    """Make what was broken off while it was written count as not installed.

    A package whose files are not all there, in the sizes that it lists, loses its list.
    """
    for info in Path(sysconfig.get_path("purelib")).glob("*.dist-info"):
        files = importlib.metadata.Distribution.at(info).files
        if not files or any(file.size is not None and _size(file) != file.size for file in files):
            shutil.rmtree(info)


def _size(file: importlib.metadata.PackagePath) -> int:
    try:
        return Path(str(file.locate())).stat().st_size
    except OSError:
        return -1


def get_uv() -> Path:
    """The uv of its lock, in this environment.

    Raises:
        FailedError: pip did not get it.
    """
    uv = VENV / "bin/uv"
    wanted = re.search(r"^uv==(\S+)", lock("uv").read_text(), re.MULTILINE)
    if not wanted or installed("uv") != wanted[1] or not uv.exists():
        command = [*PIP, "install", "--quiet", "--require-hashes", "-r", str(lock("uv"))]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise FailedError(f"uv cannot be had: {reason(done.stderr)}")
    return uv


def with_uv(names: list[str]) -> None:
    """Install some locks with uv, by pip's way to the index.

    Raises:
        FailedError: it could not be had, or it failed.
        UntranslatedError: pip is configured in a way that uv has no word for.
    """
    arguments, variables = uv_environment(pip_settings(sys.executable), os.environ)
    command = [str(get_uv()), "pip", "install", "--python", sys.executable, "--require-hashes"]
    command += [*arguments, "--no-deps"]  # the locks hold all of them
    if os.environ.get("PYTHONDONTWRITEBYTECODE"):  # else Python keeps what it compiles at first use
        command.append("--compile-bytecode")
    for name in names:
        command += ["-r", str(lock(name))]
    # What its one source distribution is built with has its hashes in the lock too.
    command += ["--build-constraints", str(lock("run")), "--require-build-hashes"]
    try:
        process = subprocess.Popen(
            command, env=variables, stderr=subprocess.PIPE, encoding="utf-8", errors="replace"
        )
    except OSError as error:
        raise FailedError(f"uv does not start: {error.strerror}") from None
    output = []
    assert process.stderr is not None
    for line in process.stderr:
        output.append(line)
        if line.lstrip().startswith(("Downloading ", "Building ")):  # the large ones, as they begin
            print(f"  {line.strip()}", flush=True)
    if process.wait():
        raise FailedError(f"uv failed: {reason(''.join(output))}")


def with_pip(names: list[str]) -> None:
    """Install some locks with pip, which says itself what goes wrong.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    command = [*PIP, "install", "--quiet", "--progress-bar", "on", "--require-hashes", "--no-deps"]
    for name in names:
        command += ["-r", str(lock(name))]
    subprocess.run(command, check=True)


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """One `make` at a time installs into an environment; another waits for it."""
    with (VENV / ".setup").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def setup(asked: list[str]) -> None:
    before = set(STATE.read_text().split()) if STATE.exists() else set()
    names = choose(asked, before)
    if STAMP.exists() and (set(names), STAMP.read_text().strip()) == (before, digest(names)):
        return
    announce(names, names - before if STAMP.exists() else names)
    if UNDERWAY.exists():
        forget_halves()
    UNDERWAY.touch()
    STAMP.unlink(missing_ok=True)
    remove(packages((before - names) | (TENSORFLOWS - names)) - packages(names))
    try:
        with_uv(ordered(names))
    except (FailedError, UntranslatedError) as why:
        print(f"setup: {why}; installing with pip", flush=True)
        with_pip(ordered(names))
    STATE.write_text(" ".join(ordered(names)) + "\n")
    STAMP.write_text(digest(names) + "\n")
    UNDERWAY.unlink()


def main() -> None:
    asked = re.split(r"[\s,]+", " ".join(sys.argv[1:]).strip())
    try:
        with alone():
            setup([name for name in asked if name])
    except FailedError as error:
        sys.exit(f"setup: {error}")
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)
    except KeyboardInterrupt:
        sys.exit("setup: broken off; type it again to go on")


if __name__ == "__main__":
    main()
