"""The processor as Linux describes it; of another system its name alone."""

import platform
from pathlib import Path


def processor() -> str:
    """The processor's name."""
    return _described("model name") or platform.processor() or platform.machine()


def flags() -> list[str]:
    """Its instruction sets, in the system's order (x86 on Linux; else none)."""
    return _described("flags").split()


def _described(key: str) -> str:
    """The first line of this name in /proc/cpuinfo."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return ""
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name.strip() == key:
            return " ".join(value.split())
    return ""
