"""Converters without their progress and advice."""

import contextlib
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Nothing on standard output and error but what is raised, C++ included."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = {number: os.dup(number) for number in (1, 2)}
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with Path(os.devnull).open("w") as nothing, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for number in kept:
                os.dup2(nothing.fileno(), number)
            yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        logging.disable(before)
        for number, copy in kept.items():
            os.dup2(copy, number)
            os.close(copy)
