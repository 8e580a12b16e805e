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
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stages.runtime import paths
from stages.runtime.locks import WAITING

ABANDONED_SECONDS = 14 * 24 * 3600


def code_digest(code: Sequence[str] = (".",)) -> str:
    """SHA-256 (hex) over the source of some of the package's files and folders.

    Args:
        code: paths inside the package, such as 'models' or 'train.py'.
    """
    package = Path(__file__).resolve().parents[1]
    sources = {source for part in code for source in _python_files(package / part)}
    digest = hashlib.sha256()
    for source in sorted(sources):
        digest.update(str(source.relative_to(package)).encode())
        digest.update(source.read_bytes())
    return digest.hexdigest()


def resume_folder(stage: str, *ingredients: Any, code: Sequence[str] = (".",)) -> Path:
    """The resume folder for these JSON-able ingredients, made if it is not there.

    Args:
        stage: the stage's name.
        ingredients: what decides the result, beside the code.
        code: the part of the package that computes the result (see `code_digest`).
    """
    text = json.dumps([stage, code_digest(code), *ingredients], sort_keys=True, default=str)
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


def _python_files(path: Path) -> list[Path]:
    return [path] if path.is_file() else list(path.rglob("*.py"))
