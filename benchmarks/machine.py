"""What was measured on: a bare time says nothing without it."""

import os
import platform
import re
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

# Instructions that decide how fast a network is trained.
FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "amx_int8")
PACKAGES = ("dvc", "keras", "mlflow", "numpy", "tensorflow-cpu", "tensorflow")


def description() -> dict[str, Any]:
    """The processor, its flags, the memory (GiB) and the versions, without names or paths."""
    text = _cpuinfo()
    name = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    flags = re.search(r"^flags\s*:\s*(.+)$", text, re.MULTILINE)
    known = set(flags[1].split()) if flags else set()
    return {
        "processor": " ".join(name[1].split()) if name else platform.machine(),
        "processors": os.cpu_count(),
        "flags": [flag for flag in FLAGS if flag in known],
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "system": platform.system(),
        "python": platform.python_version(),
        "packages": {name: version for name in PACKAGES if (version := _version(name))},
    }


def in_words(machine: dict[str, Any]) -> str:
    """One line: the processor, how many, flags, memory."""
    flags = f" ({', '.join(machine['flags'])})" if machine["flags"] else ""
    return (
        f"{machine['processor']}, {machine['processors']} processors{flags}, "
        f"{machine['memory_gib']} GiB"
    )


def _cpuinfo() -> str:
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return ""


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
