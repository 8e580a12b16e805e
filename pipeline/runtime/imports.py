"""Importing large libraries in less time."""

import contextlib
import gc
import sys
from collections.abc import Iterator
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
