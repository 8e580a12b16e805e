"""Repair what a dvc that was killed leaves of its own: half a lock, half a dvc.lock.

DVC writes both in place, so a kill -9 in the wrong millisecond leaves a file
that it cannot read, and every later `dvc repro` ends with an error until
somebody removes it. `make repro` runs this first. Nothing is lost: the lock
says who works here, and DVC's run cache brings back what dvc.lock knew. A data set in a
bucket without the package that reads it ends here: DVC's own line does not say what to type.
"""

import json
import re
from pathlib import Path

from pipeline.runtime.git import tried
from pipeline.runtime.stage import run_program, say

LOCK = Path(".dvc/tmp/rwlock")
# DVC holds this one while it writes the other.
GUARD = Path(".dvc/tmp/rwlock.lock")
LOCK_FILE = Path("dvc.lock")
PARAMS_FILE = Path("params.yaml")


def main() -> None:
    """Repair the repository in the current folder, with a line for each file that was broken."""
    if LOCK.exists() and not _is_json(LOCK) and _remove_if_unguarded():
        say("repro", f"removed {LOCK}, which a dvc that was killed left broken")
    if _changed(LOCK_FILE) and not _is_lock_file(LOCK_FILE):
        LOCK_FILE.unlink()
        say(
            "repro",
            f"removed {LOCK_FILE}, which a dvc that was killed left broken; what it knew comes "
            "from DVC's cache",
        )
    text = PARAMS_FILE.read_text(encoding="utf-8") if PARAMS_FILE.exists() else ""
    if bucket := re.search(r"^dataset: *['\"]?(s3://[^\s'\"]*)", text, re.MULTILINE):
        from pipeline.datasets import registry

        registry.find(bucket[1])


def _is_json(path: Path) -> bool:
    try:
        return isinstance(json.loads(path.read_bytes()), dict)
    except ValueError:
        return False


def _remove_if_unguarded() -> bool:
    from zc import lockfile

    try:
        guard = lockfile.LockFile(str(GUARD))
    except lockfile.LockError:  # a dvc is writing it now
        return False
    try:
        LOCK.unlink(missing_ok=True)
    finally:
        guard.close()
    return True


def _changed(path: Path) -> bool:
    """Whether a file of the commit was written since: a committed one is whole."""
    return path.exists() and tried(Path(), "status", "--porcelain", "--", str(path)) != ""


def _is_lock_file(path: Path) -> bool:
    import yaml
    from dvc.schema import COMPILED_LOCKFILE_SCHEMA
    from voluptuous import Invalid

    try:
        COMPILED_LOCKFILE_SCHEMA(yaml.safe_load(path.read_bytes()))
    except (yaml.YAMLError, Invalid, UnicodeDecodeError):
        return False
    return True


if __name__ == "__main__":
    run_program("repro", main)
