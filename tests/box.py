"""A Ray cluster in a box: a network namespace that has nothing but `lo`.

Ray listens on all interfaces and asks the network for its route; in the box there
is neither. The box is a process of its own, and what runs in it ends with it.
"""

import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

HEAD = "127.0.0.1:6399"
MEMORY = 100_000_000  # bytes of Ray's object store; its least is 75 MB


def until(condition: Callable[[], object], seconds: float = 300) -> None:
    """Wait for something, at most so long."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.2)


class Box:
    """A context; the test is skipped, and says why, where namespaces are not allowed.

    Args:
        folder: for Ray's sessions; a short path, for its sockets' sake.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.nodes: dict[str, int] = {}
        binaries = Path(sys.executable).parent
        self.environment = {
            **os.environ,
            "PATH": f"{binaries}:{os.environ['PATH']}",
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(16),
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_TMPDIR": str(folder),
        }
        self.environment.pop("PYTHONPATH", None)  # a node has what it is sent, and no more

    def __enter__(self) -> "Box":
        pytest.importorskip("ray", reason="needs Ray: `make setup EXTRA=scale`")
        tools = [tool for tool in ("unshare", "nsenter", "ip") if not shutil.which(tool)]
        if os.geteuid() or tools:
            pytest.skip(f"needs root and a network namespace (missing: {tools or 'root'})")
        asked = "ip link set lo up && echo up && exec sleep 7200"
        self._process = subprocess.Popen(
            ["unshare", "-n", "-p", "-f", "--mount-proc", "bash", "-c", asked],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        assert self._process.stdout
        assert self._process.stderr
        if self._process.stdout.readline() != "up\n":
            pytest.skip(f"needs a network namespace: {self._process.stderr.read().strip()}")
        (self._init,) = psutil.Process(self._process.pid).children()
        self.folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._init.kill()
        self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, *command: str, **environment: str) -> subprocess.Popen[str]:
        """Start a command in the box, in the current folder."""
        inside = ["nsenter", "-t", str(self._init.pid), "-n", "-p", "-m"]
        return subprocess.Popen(
            [*inside, "bash", "-c", 'cd "$0" && exec "$@"', str(Path.cwd()), *command],
            env=self.environment | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the box to its end."""
        process = self.start(*command, **environment)
        out, error = process.communicate(timeout=900)
        return subprocess.CompletedProcess(command, process.returncode, out, error)

    def node(self, address: str, hidden: Path | None = None, **environment: str) -> None:
        """Start a node of one core: the head at 127.0.0.1, others at 127.0.0.N, which are
        machines of their own: their processes, their name, and `hidden` not theirs to see."""
        ray = ["ray", "start", "--block", "--num-cpus=1", f"--node-ip-address={address}"]
        ray += ["--disable-usage-stats", f"--object-store-memory={MEMORY}"]
        if address in HEAD:
            port = HEAD.partition(":")[2]
            process = self.start(
                *ray, "--head", f"--port={port}", "--include-dashboard=false", **environment
            )
        else:
            hide = f"mount -t tmpfs none {hidden} && " if hidden else ""
            asked = f'hostname node{address[-1]} && {hide} exec "$@"'
            own = ["unshare", "-u", "-m", "-p", "-f", "--mount-proc", "bash", "-c", asked, "own"]
            process = self.start(*own, *ray, f"--address={HEAD}", **environment)
        assert process.stdout
        for line in process.stdout:
            if "Ray runtime started" in line:
                break
        else:
            raise AssertionError(process.communicate()[1])
        below = psutil.Process(process.pid).children(recursive=True)
        self.nodes[address] = next(each.pid for each in below if each.name() == "ray")

    def lose(self, address: str) -> None:
        """The machine is gone, with all that ran on it (of the head: Ray's own processes)."""
        start = psutil.Process(self.nodes.pop(address))
        for process in [start, *start.children(recursive=True)]:
            process.kill()


def kill(process: subprocess.Popen[str]) -> None:
    """Kill what `Box.start` has started, as nothing can be prepared for."""
    for child in psutil.Process(process.pid).children():
        child.kill()
    process.wait()
