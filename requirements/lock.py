"""Write the locks of requirements anew from pyproject.toml; see `make lock`.

All are cut from one resolution, so they agree with each other, and each holds what the ones
below it do not. Pins stand until `make lock UPGRADE=1`. The first line says how much there is to
download, by the index's own sizes, on an x86-64 Linux with Python 3.11.
"""

import os
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

from pip_settings import UntranslatedError, pip_settings, uv_environment

LOCKS = Path(__file__).parent
PROJECT = LOCKS.parent / "pyproject.toml"
TENSORFLOW = re.compile(r"tensorflow(-cpu)?==")
EXTRAS = ("gpu", "jax", "jax-cuda", "torch", "heic", "openvino", "demo", "scale", "team")
OTHERS = ("dev", "uv")
UV = Path(sys.prefix) / "bin/uv"
COMPILE = [str(UV), "pip", "compile", "--quiet", "--no-header"]
UNIVERSAL = ["--universal", "--python-version", "3.11", "--generate-hashes"]
MEASURED = ["--python-version", "3.11", "--python-platform", "x86_64-manylinux_2_31", "--no-deps"]


class Compiler:
    """uv with pip's way to the index; of several indexes the first, which has every file's hash."""

    def __init__(self, folder: Path):
        settings = pip_settings(sys.executable)
        settings = {k: v for k, v in settings.items() if k not in ("extra-index-url", "find-links")}
        self.arguments, self.variables = uv_environment(settings, os.environ)
        self.folder = folder

    def run(self, *arguments: str) -> None:
        command = [*COMPILE, *self.arguments, *arguments]
        subprocess.run(command, env=self.variables, check=True, cwd=PROJECT.parent)

    def resolve(self, pins: str, *extras: str) -> str:
        """The lock of the dependencies and some extras; `pins` are kept where they fit."""
        path = self.folder / "resolved.lock"
        path.write_text(pins)
        self.run(*UNIVERSAL, *extras, PROJECT.name, "--output-file", str(path))
        return path.read_text()

    def megabytes(self, entries: list[str]) -> int | None:
        """What some entries weigh to download; None if the index does not say."""
        source, path = self.folder / "measured.txt", self.folder / "pylock.toml"
        source.write_text("".join(entries))
        self.run(*MEASURED, "--format", "pylock.toml", str(source), "--output-file", str(path))
        found: list[dict[str, Any]] = tomllib.loads(path.read_text()).get("packages", [])
        files = [package.get("wheels", [package.get("sdist", {})])[0] for package in found]
        sizes = [file.get("size") for file in files]
        return round(sum(sizes) / 1e6) if all(sizes) else None


def entries_of(text: str) -> list[str]:
    """The entries of a lock: a requirement each, with its hashes and what wants it."""
    return re.findall(r"^[^\s#].*\n(?:[\s#].*\n)*", text, re.MULTILINE)


def head(entry: str) -> str:
    """An entry's requirement: name, version, marker."""
    return entry.partition(" \\\n")[0]


def main() -> None:
    if not UV.exists():
        sys.exit("lock: uv is not in the environment; `make setup` says why")
    upgrade = os.environ.get("UPGRADE")
    pins = "" if upgrade else "".join(path.read_text() for path in sorted(LOCKS.glob("*.lock")))
    with tempfile.TemporaryDirectory() as folder:
        try:
            compiler = Compiler(Path(folder))
        except UntranslatedError as why:
            sys.exit(f"lock: {why}")
        whole = compiler.resolve(pins, "--all-extras")
        below = entries_of(compiler.resolve(whole, "--extra", "cpu"))
        locks = {"cpu": [entry for entry in below if TENSORFLOW.match(entry)]}
        locks["run"] = [entry for entry in below if not TENSORFLOW.match(entry)]
        there = set(map(head, locks["run"]))
        for extra in EXTRAS + OTHERS:
            entries = entries_of(compiler.resolve(whole, "--extra", extra))
            locks[extra] = [entry for entry in entries if head(entry) not in there]
        for name, entries in locks.items():
            size = compiler.megabytes(entries)
            line = f"# {size} MB to download on x86-64 Linux with Python 3.11\n" if size else ""
            (LOCKS / f"{name}.lock").write_text(line + "".join(entries))
            print(f"requirements/{name}.lock: {len(entries)} entries, {size or '?'} MB")


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)
