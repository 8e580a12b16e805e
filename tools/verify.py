"""Run the pipeline a second time, in a clean copy, and compare every out's digest.

Copies the files that git tracks, as they stand, to a temporary folder, runs
`dvc repro --force` there with an empty cache, and compares the new dvc.lock
with the one here. Exit status 0 if all digests agree; else 1 and a list of
what differs. No DVC stage; changes nothing here.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from pipeline.errors import PipelineError
from pipeline.runtime.git import git
from pipeline.runtime.stage import run_program

LOCK = Path("dvc.lock")


def main() -> None:
    if not LOCK.exists():
        raise PipelineError("dvc.lock: not there; run `dvc repro`, which makes it")
    here = digests(LOCK)
    with tempfile.TemporaryDirectory(prefix="verify-") as folder:
        copy = Path(folder) / "copy"
        _copy_tracked(copy)
        _repro(copy)
        again = digests(copy / LOCK)
        identical = LOCK.read_bytes() == (copy / LOCK).read_bytes()
    different = differences(here, again)
    width = max(len(name) for name in here | again)
    for name in sorted(here | again):
        mark = "differs" if name in different else "same"
        print(f"  {name:<{width}}  {here.get(name, '–'):<36}  {again.get(name, '–'):<36}  {mark}")
    print(f"\n{len(here) - len(different)} of {len(here)} outs have the same bytes")
    if different:
        raise PipelineError(
            f"other bytes: {', '.join(different)} (another processor, other library versions or "
            "other threads give other bytes; their record stands in MLflow)"
        )
    print(f"dvc.lock is {'byte-identical' if identical else 'the same but for its dependencies'}")


def digests(lock: Path) -> dict[str, str]:
    """The digest that a dvc.lock has for each out, by the out's path."""
    stages: dict[str, Any] = YAML(typ="safe", pure=True).load(lock)["stages"]
    return {
        out["path"].replace("../", ""): out["md5"]
        for stage in stages.values()
        for out in stage.get("outs", [])
    }


def differences(here: dict[str, str], again: dict[str, str]) -> list[str]:
    """The outs whose digests are not the same on both sides, sorted."""
    return sorted(name for name in here | again if here.get(name) != again.get(name))


def _copy_tracked(copy: Path) -> None:
    """The tracked files as they stand, in a git repository of their own."""
    for name in filter(None, git(Path.cwd(), "ls-files", "-z").split("\0")):
        if Path(name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(name, copy / name)
    git(copy, "init", "--quiet")


def _repro(copy: Path) -> None:
    unset = ("DVC_ROOT", "MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID")
    environment = {key: value for key, value in os.environ.items() if key not in unset}
    result = subprocess.run(["dvc", "repro", "--force"], cwd=copy, env=environment)
    if result.returncode:
        raise PipelineError(f"the second run failed (dvc ended with {result.returncode})")


if __name__ == "__main__":
    run_program("verify", main)
