"""DVC's cache: what neither the workspace nor any commit, branch, tag or experiment names."""

import re
import subprocess
import sys

from pipeline.datasets.names import counted
from pipeline.errors import PipelineError
from pipeline.runtime import paths
from pipeline.runtime.git import environment
from pipeline.runtime.stage import say
from tools.cleaning.waste import Waste, size

KEPT = ("--workspace", "--all-branches", "--all-tags", "--all-commits", "--all-experiments")
_REMOVING = re.compile(r"^Removing (.+)$", re.MULTILINE)
_SKIPPED = re.compile(r"Failed to collect '(\w+)', skipping")


def unused() -> list[Waste]:
    """The objects that `dvc gc` would remove.

    A commit whose dvc.yaml DVC does not take (any more) can bring nothing back
    from the cache; a line says how many there are.

    Raises:
        PipelineError: DVC cannot say what is used.
    """
    said = _gc("--dry")
    if skipped := _SKIPPED.findall(said):
        say(
            "gc",
            f"DVC cannot read {counted(len(skipped), 'commit')} ({skipped[0][:10]}, say); what "
            "such alone name is not kept",
        )
    named = (paths.root() / path for path in _REMOVING.findall(said))
    found = [path for path in named if path.exists()]
    return [Waste("objects of DVC's cache", len(found), size(found), _remove)]


def _remove() -> None:
    _gc()


def _gc(*options: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "dvc", "gc", *KEPT, "--skip-failed", "--force", *options],
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
