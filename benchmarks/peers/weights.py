"""A digest of what a model file has learned: its arrays' bytes, whatever else it writes down.

Keras, PyTorch and those on it write ZIP files, which may hold dates and addresses
beside the weights, and pickles. Nothing is loaded.
"""

import hashlib
import re
import zipfile
from pathlib import Path

from pipeline.errors import PipelineError

KERAS = "model.weights.h5"
STORAGE = re.compile(r"(?:^|/)data/(\d+)$")  # PyTorch's, one a tensor


def digest(path: Path) -> str:
    """SHA-256, the first 16 digits.

    Raises:
        PipelineError: no such file, or none that is known here.
    """
    try:
        with zipfile.ZipFile(path) as file:
            names = file.namelist()
            if KERAS in names:
                chosen = [KERAS]
            else:
                found = {name: match for name in names if (match := STORAGE.search(name))}
                chosen = sorted(found, key=lambda name: int(found[name][1]))
            if not chosen:
                raise PipelineError(f"{path.name}: no weights in it that are known here")
            whole = hashlib.sha256()
            for name in chosen:
                whole.update(file.read(name))
    except (OSError, zipfile.BadZipFile) as error:
        raise PipelineError(f"{path.name}: cannot be read ({error})") from None
    return whole.hexdigest()[:16]
