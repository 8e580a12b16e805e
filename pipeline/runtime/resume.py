"""Resume files: what a killed stage leaves so that the next start goes on from there.

They live under the root in .state/resume/<stage>-<key>, outside DVC's outs,
which DVC deletes before a stage runs. The key is a digest of everything that
decides the stage's result (parameters, inputs, the code), so other parameters
or other data never resume from them. They are removed after success.
"""

import hashlib
import json
import shutil
import time
from pathlib import Path
from typing import Any

from pipeline.runtime import paths
from pipeline.runtime.locks import WAITING

ABANDONED_SECONDS = 14 * 24 * 3600


def resume_folder(stage: str, *ingredients: Any) -> Path:
    """The resume folder for these JSON-able ingredients, made if it is not there.

    Args:
        stage: the stage's name.
        ingredients: what decides the result: the stage's parameters, with their
            digest of the code, and its inputs.
    """
    text = json.dumps([stage, *ingredients], sort_keys=True, default=str)
    key = hashlib.sha256(text.encode()).hexdigest()[:16]
    folder = paths.state() / "resume" / f"{stage}-{key}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def forget(folder: Path) -> None:
    """Remove a resume folder after success, unless another process waits for what is in it."""
    if not (folder / WAITING).exists():
        shutil.rmtree(folder, ignore_errors=True)
    # What was killed and never asked for again, with other parameters say, goes too.
    for other in folder.parent.iterdir():
        if time.time() - other.stat().st_mtime > ABANDONED_SECONDS:
            shutil.rmtree(other, ignore_errors=True)
