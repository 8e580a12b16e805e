"""An environment for a tool, made by name from the package index that pip is set up for."""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.errors import PipelineError
from pipeline.runtime import files, paths
from pipeline.runtime.stage import say

UV = Path(sys.prefix) / "bin" / "uv"  # of `make setup`; its hard links keep one PyTorch for all
READY = "installed.json"


def make(folder: Path, packages: Sequence[str]) -> Path:
    """The Python of an environment in `folder` that has the packages, their newest versions.

    One that is there stands.

    Raises:
        PipelineError: uv is not there, or a package does not install.
    """
    python = folder / "bin" / "python"
    ready = folder / READY
    if ready.exists() and files.read_json(ready) == [*packages]:
        return python
    if not UV.exists():
        raise PipelineError("uv is not in this environment; type `make setup`")
    say("peers", f"installing {', '.join(packages)}")
    settings: Any = _pip_settings()
    try:
        arguments, variables = settings.uv_environment(
            settings.pip_settings(sys.executable), os.environ
        )
    except settings.UntranslatedError as error:
        raise PipelineError(str(error)) from None
    target = ["--python", str(python)]
    for command in (
        ["venv", "--clear", "--python", sys.executable, str(folder)],
        ["pip", "install", *target, *arguments, *packages],
    ):
        done = subprocess.run(
            [str(UV), *command], env=variables, capture_output=True, text=True, check=False
        )
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise PipelineError(f"uv {command[0]} failed: {last.strip()}")
    files.write_json(ready, [*packages])
    return python


def version(python: Path, package: str) -> str:
    """The version of a package that a Python has."""
    code = "import importlib.metadata, sys; print(importlib.metadata.version(sys.argv[1]))"
    done = subprocess.run(
        [str(python), "-c", code, package], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def _pip_settings() -> Any:
    """`requirements/pip_settings.py`, which stands outside the rooms."""
    path = paths.root() / "requirements" / "pip_settings.py"
    specification = importlib.util.spec_from_file_location("pip_settings", path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module
