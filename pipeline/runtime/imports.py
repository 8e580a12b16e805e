"""Importing large libraries in less time, and in silence."""

import contextlib
import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Import without the garbage collector, which would walk the new modules again and again
    and find nothing; nor does it ever walk what is there at the end.

    TensorFlow with Keras: 3.1, 3.2 and 3.0 s of CPU with it, 2.3, 2.1 and 2.0 without;
    MLflow 2.1, 1.9, 2.1 and 1.8, 1.7, 1.4 (two cores of an AMD EPYC, in turn, beside a
    training).
    """
    collected = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if collected:
            gc.enable()


@contextlib.contextmanager
def absent(*packages: str) -> Iterator[None]:
    """Import a library without some that it uses where they are there, and that nobody here needs.

    Those that are imported already stay.
    """
    hidden = [name for name in packages if name not in sys.modules]
    none: dict[str, Any] = dict.fromkeys(hidden)  # an import of None raises ImportError
    sys.modules.update(none)
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


@contextlib.contextmanager
def silent_stderr() -> Iterator[None]:
    """Nothing on standard error, C++ included: TensorFlow's while it is imported, for it
    has not read its log level yet, and JAX's of a GPU that is not there.

    What fails raises as ever.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with Path(os.devnull).open("w") as nothing:
            os.dup2(nothing.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
