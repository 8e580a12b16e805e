"""What was measured on: a bare time says nothing without it."""

import os
import platform
from importlib import metadata
from typing import Any

import psutil

from pipeline.runtime import machine

# Instructions that decide how fast a network is trained.
FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "amx_int8")
PACKAGES = ("dvc", "keras", "mlflow", "numpy", "tensorflow-cpu", "tensorflow")


def description() -> dict[str, Any]:
    """The processor, its flags, the memory (GiB) and the versions, without names or paths."""
    known = machine.flags()
    return {
        "processor": machine.processor(),
        "processors": os.cpu_count(),
        "flags": [flag for flag in FLAGS if flag in known],
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "system": platform.system(),
        "python": platform.python_version(),
        "packages": {name: version for name in PACKAGES if (version := _version(name))},
    }


def in_words(found: dict[str, Any]) -> str:
    """One line: the processor, how many, flags, memory."""
    flags = f" ({', '.join(found['flags'])})" if found["flags"] else ""
    return (
        f"{found['processor']}, {found['processors']} processors{flags}, {found['memory_gib']} GiB"
    )


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
