"""wrk against a server: requests a second, and how long they take."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import PipelineError

SCRIPT = Path(__file__).with_name("request.lua")


@dataclass(frozen=True)
class Load:
    """What `clients` connections got; milliseconds for half, 95% and 99% of the requests."""

    clients: int
    rate: float
    p50: float
    p95: float
    p99: float
    requests: int
    failed: int


def run(address: str, body: Path, kind: str, clients: int, seconds: float) -> Load:
    """Send the same request again and again, each connection when its answer has come.

    Raises:
        PipelineError: there is no wrk, or it fails.
    """
    program = shutil.which("wrk")
    if program is None:
        raise PipelineError("needs wrk (Debian's package wrk)")
    command = [program, "-t1", f"-c{clients}", f"-d{seconds:g}s", "--timeout", "30s"]
    command += ["-s", str(SCRIPT), address, "--", str(body), kind]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 120)
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if not lines:
        raise PipelineError(f"wrk: {(done.stderr or done.stdout).strip()[:300]}")
    found = json.loads(lines[-1])
    return Load(
        clients=clients,
        rate=found["requests"] / found["seconds"],
        p50=found["p50"],
        p95=found["p95"],
        p99=found["p99"],
        requests=found["requests"],
        failed=found["refused"] + found["broken"],
    )
