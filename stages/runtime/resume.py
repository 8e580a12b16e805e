"""Resume files: what a killed stage leaves so that the next start goes on from there.

They live under the root in .state/resume/<stage>-<key>, outside DVC's outs,
which DVC deletes before a stage runs. The key is a digest of everything that
decides the stage's result (parameters, inputs, the code), so other parameters
or other data never resume from them. They are removed after success.
"""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

from stages.runtime import paths
from stages.runtime.locks import WAITING


def code_digest() -> str:
    """SHA-256 (hex) over the pipeline's own source, in the order of the file names."""
    package = Path(__file__).resolve().parents[1]
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        digest.update(str(path.relative_to(package)).encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def resume_folder(stage: str, *ingredients: Any) -> Path:
    """The resume folder for these JSON-able ingredients, made if it is not there."""
    text = json.dumps([stage, code_digest(), *ingredients], sort_keys=True, default=str)
    key = hashlib.sha256(text.encode()).hexdigest()[:16]
    folder = paths.state() / "resume" / f"{stage}-{key}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def forget(folder: Path) -> None:
    """Remove a resume folder after success, unless another process waits for what is in it."""
    if not (folder / WAITING).exists():
        shutil.rmtree(folder, ignore_errors=True)
