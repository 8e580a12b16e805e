"""A Ray cluster that reaches nothing but itself, for tests.

On the host's network Ray listens on all interfaces and asks a name server for its route, so
it is started inside a network namespace that has only `lo`, with processes of its own: what
ends the first of them ends all.
"""

import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

PORT = 6399
INSIDE = "ip link set lo up && exec sleep 7200"


class Loopback:
    """A namespace with a Ray head of one processor, and a second node on 127.0.0.2."""

    def __init__(self) -> None:
        # The names of sockets may have 107 letters, and pytest's folders are long.
        self._folder = Path(tempfile.mkdtemp(prefix="ray-"))
        self._environment = {
            **os.environ,
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_raylet_start_wait_time_s": "300",  # on a busy machine
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(32),
            "RAY_ADDRESS": f"127.0.0.1:{PORT}",
        }
        self._unshare = subprocess.Popen(
            ["unshare", "-n", "-p", "-f", "--mount-proc", "bash", "-c", INSIDE],
            start_new_session=True,
        )
        self._first = self._find_first()

    def run(self, command: Sequence[str], **options: object) -> subprocess.CompletedProcess[str]:
        """A command inside, to its end; `environment` and `cwd` as for subprocess."""
        known = {"capture_output": True, **self._options(options)}
        return subprocess.run(self._inside(command), timeout=600, **known)

    def start(self, command: Sequence[str], **options: object) -> subprocess.Popen[str]:
        """A command inside, that goes on."""
        return subprocess.Popen(self._inside(command), **self._options(options))

    def start_nodes(self) -> None:
        """The head and the second node, of one processor each."""
        ray = [str(Path(sys.executable).with_name("ray")), "start", "--num-cpus=1"]
        ray += ["--disable-usage-stats", "--object-store-memory=100000000"]
        head = ["--head", f"--port={PORT}", "--node-ip-address=127.0.0.1"]
        head += ["--include-dashboard=false", f"--temp-dir={self._folder}"]
        second = [f"--address=127.0.0.1:{PORT}", "--node-ip-address=127.0.0.2"]
        for arguments in (head, second):
            started = self.run([*ray, *arguments])
            assert started.returncode == 0, started.stdout + started.stderr

    def start_blind_node(self, hidden: Path) -> None:
        """A third node, that sees an empty folder in the place of `hidden`."""
        ray = Path(sys.executable).with_name("ray")
        script = (
            f"mount -t tmpfs none {hidden} && exec {ray} start --address=127.0.0.1:{PORT} "
            "--node-ip-address=127.0.0.3 --num-cpus=1 --disable-usage-stats "
            "--object-store-memory=100000000"
        )
        started = self.run(["unshare", "-m", "bash", "-c", script])
        assert started.returncode == 0, started.stdout + started.stderr

    def workers(self) -> list[psutil.Process]:
        """The processes that a stage's task runs in now; Ray's own are ray::…, too, and a node
        ends with them."""
        found = psutil.Process(self._first).parent().children(recursive=True)
        return [each for each in found if "".join(_command(each)[:1]).startswith("ray::run")]

    def end(self) -> None:
        os.kill(self._first, signal.SIGKILL)
        self._unshare.wait(60)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _inside(self, command: Sequence[str]) -> list[str]:
        return ["nsenter", "-t", str(self._first), "-n", "-p", "-m", "--wd=.", *command]

    def _options(self, given: dict[str, object]) -> dict[str, object]:
        environment = {**self._environment, **given.pop("environment", {})}
        return {"env": environment, "text": True, **given}

    def _find_first(self) -> int:
        until = time.monotonic() + 30
        while time.monotonic() < until:
            for each in psutil.Process(self._unshare.pid).children(recursive=True):
                if each.name() == "sleep":
                    return each.pid
            if self._unshare.poll() is not None:
                break
            time.sleep(0.05)
        raise OSError("the namespace did not come up")


@contextmanager
def cluster() -> Iterator[Loopback]:
    """A cluster of two nodes for the block; skips the test where that is not possible."""
    pytest.importorskip("ray", reason="needs Ray: `make setup EXTRA=scale`")
    if not shutil.which("unshare") or subprocess.run(["unshare", "-n", "true"]).returncode:
        pytest.skip("needs a network namespace: root, and util-linux's unshare")
    box = Loopback()
    try:
        box.start_nodes()
        yield box
    finally:
        box.end()


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
