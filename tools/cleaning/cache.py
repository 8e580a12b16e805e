"""DVC's cache: what neither the workspace nor any commit, branch, tag or experiment names."""

import re

from pipeline.datasets.names import counted
from pipeline.runtime import paths
from pipeline.runtime.stage import say
from tools.cleaning.waste import Waste, size
from tools.experiments.clone import dvc

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
    done = dvc(paths.root(), "gc", *KEPT, "--skip-failed", "--force", *options)
    return done.stdout + done.stderr
