"""One process, measured from outside: wall time, epochs as they are printed, memory."""

import contextlib
import itertools
import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from pipeline.errors import PipelineError
from pipeline.runtime.git import environment
from tools.experiments import processes
from tools.experiments.worker import why

# Keras' line at the end of an epoch, validation with it: '22/22 - 7s - 316ms/step - …'.
EPOCH = re.compile(r"\d+/\d+ - \d+m?s - ")
ACCURACY = re.compile(r"accuracy +(\d\.\d+)$")
# Of the code that decides a measurement: how a picture looks takes no time to speak of.
LEFT_OUT = ("pipeline.figures",)
# Linux counts the resident memory in KiB, macOS in bytes.
RSS_UNIT = 2**10 if sys.platform == "linux" else 1


@dataclass(frozen=True)
class Measured:
    """`epochs` are the seconds from the end of an epoch to the end of the next one;
    `cpu_seconds` those of the processors, of all processes that were waited for."""

    seconds: float
    epochs: list[float]
    peak_mib: float
    others: float
    accuracy: float | None
    cpu_seconds: float


def run(
    command: Sequence[str], folder: Path, log: Path, more: Mapping[str, str] | None = None
) -> Measured:
    """Run `command` in `folder` to its end; what it prints is added to `log`.

    `more` are variables of its environment beside this one's.

    The memory is the kernel's own peak of the largest process among all that
    were waited for, so nothing has to be sampled beside the work.

    Raises:
        PipelineError: it fails: the line that says why.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    ends: list[float] = []
    lines: list[str] = []
    busy, start = _busy_seconds(), time.perf_counter()
    with log.open("a", encoding="utf-8") as output:
        print(f"# {' '.join(command[1:])}", file=output, flush=True)
        process = subprocess.Popen(
            [*command],
            cwd=folder,
            env=variables(more or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,  # Ctrl-C ends it from here, with all that it has started
        )
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if EPOCH.match(line):
                    ends.append(time.perf_counter())
                lines.append(line.strip())
                output.write(line)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        finally:
            if process.returncode is None:
                processes.end(processes.family(process.pid))
                process.wait()
    seconds = time.perf_counter() - start
    if process.returncode:
        raise PipelineError(why(lines))
    cpu_seconds = usage.ru_utime + usage.ru_stime
    others = (_busy_seconds() - busy) - cpu_seconds
    found = [match[1] for line in lines if (match := ACCURACY.match(line))]
    return Measured(
        seconds,
        [end - before for before, end in itertools.pairwise(ends)],
        usage.ru_maxrss * RSS_UNIT / 2**20,
        min(1.0, max(0.0, others / seconds / (os.cpu_count() or 1))),
        float(found[-1]) if found else None,
        cpu_seconds,
    )


def variables(more: Mapping[str, str]) -> dict[str, str]:
    """This environment, without what binds to another repository, store or package, and `more`."""
    bound = ("DVC_", "MLFLOW_", "PYTHONPATH")
    kept = {key: value for key, value in environment().items() if not key.startswith(bound)}
    path = os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", "")])
    # Lines as they are printed, through a pipe too: the epochs are timed by them.
    return kept | {"PATH": path, "DVC_NO_ANALYTICS": "true", "PYTHONUNBUFFERED": "1", **more}


def _busy_seconds() -> float:
    """CPU seconds that all processes of the machine have used, and what was stolen from it."""
    times = psutil.cpu_times()._asdict()
    with contextlib.suppress(KeyError):
        times["user"] -= times.pop("guest")  # counted in both
        times["nice"] -= times.pop("guest_nice")
    return sum(value for name, value in times.items() if name not in ("idle", "iowait"))
