"""DVC's cache: what neither the workspace nor any commit, branch, tag or experiment names."""

import re
import subprocess
import sys
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.runtime import paths
from pipeline.runtime.git import environment
from tools.cleaning.waste import Waste, size

KEPT = ("--workspace", "--all-branches", "--all-tags", "--all-commits", "--all-experiments")
_REMOVING = re.compile(r"^Removing (.+)$", re.MULTILINE)


def unused() -> list[Waste]:
    """The objects that `dvc gc` would remove.

    Raises:
        PipelineError: DVC cannot say what is used, of an old commit say: nothing
            is removed then.
    """
    found = [paths.root() / path for path in _REMOVING.findall(_gc("--dry"))]
    return [Waste("objects of DVC's cache", len(found), size(map(Path, found)), _remove)]


def _remove() -> None:
    _gc()


def _gc(*options: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "dvc", "gc", *KEPT, "--force", *options],
        cwd=paths.root(),
        env=environment() | {"DVC_NO_ANALYTICS": "true"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise PipelineError(f"dvc gc: {last}")
    return done.stdout + done.stderr
