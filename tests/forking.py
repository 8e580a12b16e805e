"""Programs that start with TensorFlow, MLflow and pandas imported already.

Those imports take a fresh interpreter five seconds, a training of a test half of one. A
process of this file imports them once, computes nothing, and forks: each program is a process
of its own, with its own environment, folder, signals and exit status, and it imports all of
the project itself. What an import says or costs is no subject for these; there
`subprocess` starts a fresh interpreter.

`dvc` starts the stages by `python -m stages.NAME`. `stand_in` makes a folder for the front of
PATH whose `dvc` and `python` have that program forked, wait for it and end as it ends
(tests/stand_in.py).
"""

import atexit
import contextlib
import functools
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

STAND_IN = Path(__file__).with_name("stand_in.py")
# By Keras' backend, for `import keras` settles that.
IMPORTS = {
    "tensorflow": (
        *("tensorflow", "mlflow.tracking", "mlflow.store.tracking.sqlalchemy_store"),
        *("dvc.cli.parser", "dvc.repo", "dvc.repo.experiments.queue.tempdir"),
    ),
    "jax": ("jax", "tensorflow", "mlflow.tracking", "mlflow.store.tracking.sqlalchemy_store"),
}


class Program:
    """A running program, as `subprocess.Popen` has it: what it prints goes to two files."""

    def __init__(self, template: "Template", **request: Any) -> None:
        self._template = template
        self._files = template.files()
        request["files"] = [str(path) for path in self._files]
        self.pid: int = template.ask(fork=request)
        self.returncode: int | None = None

    def poll(self) -> int | None:
        if self.returncode is None:
            self.returncode = self._template.ask(poll=self.pid)
        return self.returncode

    def wait(self, timeout: float = 500) -> int:
        """The exit status; a program that takes longer is killed."""
        until = time.monotonic() + timeout
        while self.poll() is None:
            if time.monotonic() > until:
                self.send_signal(signal.SIGKILL)
                raise subprocess.TimeoutExpired("a forked program", timeout)
            time.sleep(0.01)
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def communicate(self, timeout: float = 500) -> tuple[str, str]:
        """Wait, and return what it printed on standard output and on standard error."""
        self.wait(timeout)
        out, error = (path.read_text(encoding="utf-8") for path in self._files)
        return out, error


class Template:
    """The process that has imported everything and that programs are forked from."""

    def __init__(self, backend: str) -> None:
        requests, ours = os.pipe()
        theirs, answers = os.pipe()
        self._process = subprocess.Popen(
            [sys.executable, __file__, str(requests), str(answers), *IMPORTS[backend]],
            # Where the project stands each program is told by its own PYTHONPATH.
            env={**_without("PYTHONPATH"), "KERAS_BACKEND": backend},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(requests, answers),
        )
        os.close(requests)
        os.close(answers)
        self._requests = os.fdopen(ours, "w", encoding="utf-8")
        self._answers = os.fdopen(theirs, encoding="utf-8")
        self._folder = tempfile.TemporaryDirectory(prefix="forked-")
        self._programs = 0
        atexit.register(self._end)

    def files(self) -> list[Path]:
        """Where the next program prints."""
        self._programs += 1
        return [Path(self._folder.name) / f"{self._programs}.{end}" for end in ("out", "error")]

    def ask(self, **request: Any) -> Any:
        print(json.dumps(request), file=self._requests, flush=True)
        return json.loads(self._answers.readline())

    @functools.cached_property
    def stand_in(self) -> Path:
        """A folder with a `python` that has DVC's stages forked here, and such a `dvc`."""
        folder = Path(self._folder.name) / "bin"
        folder.mkdir()
        address = str(folder.with_name("stages"))
        self.ask(listen=address)
        text = STAND_IN.read_text(encoding="utf-8")
        settings = f"#!{sys.executable} -IS\nPYTHON, ADDRESS = {(sys.executable, address)!r}\n"
        for name in ("python", "dvc"):
            (folder / name).write_text(settings + text, encoding="utf-8")
            (folder / name).chmod(0o755)
        return folder

    def _end(self) -> None:
        with contextlib.suppress(OSError):
            self._requests.close()
        self._process.wait()
        self._folder.cleanup()


def _without(name: str) -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if key != name}


TEMPLATES: list[Template] = []


@functools.cache
def template(backend: str) -> Template:
    TEMPLATES.append(Template(backend))
    return TEMPLATES[-1]


def start(
    *arguments: str, environment: Mapping[str, str] | None = None, code: str | None = None
) -> Program:
    """Start `python -m ARGUMENTS`, or with `code` `python -c CODE ARGUMENTS`, in the current
    folder; `environment` takes the place of the one of here."""
    full = dict(environment or os.environ)
    backend = full.get("KERAS_BACKEND", "tensorflow")
    chosen = template(backend if backend in IMPORTS else "tensorflow")
    return Program(chosen, code=code, arguments=arguments, environment=full, folder=str(Path.cwd()))


def run(
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    code: str | None = None,
    timeout: float = 500,
) -> subprocess.CompletedProcess[str]:
    """As `start` does, to its end."""
    program = start(*arguments, environment=environment, code=code)
    out, error = program.communicate(timeout)
    assert program.returncode is not None
    return subprocess.CompletedProcess(arguments, program.returncode, out, error)


def _serve(requests: int, answers: int) -> Callable[[], None] | None:
    """Answer one request after another; in a fork return what it has to do."""
    living: set[int] = set()
    with os.fdopen(requests, encoding="utf-8") as asked, os.fdopen(answers, "w") as answered:
        for line in asked:
            request = json.loads(line)
            answer: int | None = None
            if "poll" not in request:
                answer = os.fork()
                if not answer:
                    if "listen" in request:
                        return _listen(request["listen"])
                    return functools.partial(_become, **request["fork"])
                living.add(answer)
            else:
                pid, status = os.waitpid(request["poll"], os.WNOHANG)
                living.discard(pid)
                answer = os.waitstatus_to_exitcode(status) if pid else None
            print(json.dumps(answer), file=answered, flush=True)
    for pid in living:  # the tests have ended, or were killed
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    return None


def _listen(address: str) -> Callable[[], None]:
    """Fork for everyone who stands in for a program; in the program return what it has to do."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
        listening.bind(address)
        listening.listen(64)
        while True:
            connection, _ = listening.accept()
            if not os.fork():
                break
            connection.close()
            with contextlib.suppress(ChildProcessError):  # those who have done their waiting
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
    message, files, _, _ = socket.recv_fds(connection, 1 << 20, 3)
    request = json.loads(message)
    group = request.pop("group")
    program = os.fork()
    if program:
        with connection:
            _wait_for(program, connection)
        os._exit(0)
    connection.close()
    with contextlib.suppress(OSError):  # of another session: nobody ends it by its group
        os.setpgid(0, group)
    for number, opened in enumerate(files):
        os.dup2(opened, number)
        os.close(opened)
    return functools.partial(_become, code=None, files=[], **request)


def _wait_for(program: int, connection: socket.socket) -> None:
    """Tell who stands in for the program how it ends; it does not outlive that one."""
    ended = os.pidfd_open(program)
    if ended not in select.select([ended, connection], [], [])[0]:
        os.kill(program, signal.SIGKILL)
    _, status = os.waitpid(program, 0)
    with contextlib.suppress(OSError):
        connection.send(str(os.waitstatus_to_exitcode(status)).encode())


def _become(
    code: str | None,
    arguments: list[str],
    environment: dict[str, str],
    folder: str,
    files: list[str],
) -> None:
    """Be the program, in this process."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, path in enumerate(files, start=1):
        opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(opened, number)
        os.close(opened)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.path[0] = ""
    sys.path[1:1] = filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))
    if code is None:
        sys.argv = [*arguments]
        runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
    else:
        sys.argv = ["-c", *arguments]
        main = sys.modules["__main__"] = types.ModuleType("__main__")
        exec(code, main.__dict__)


def _end_as_python_does(work: Callable[[], None]) -> None:
    status: Any = 0
    try:
        work()
    except SystemExit as ended:
        status = ended.code
    except BaseException:
        traceback.print_exc()
        status = 1
    if isinstance(status, str):
        print(status, file=sys.stderr)
        status = 1
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    os._exit(status or 0)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the tests and their programs
    for name in sys.argv[3:]:
        with contextlib.suppress(ImportError):
            __import__(name)
    with contextlib.suppress(ImportError, AttributeError):
        # What packages there are: each process that logs a model looks for half a second.
        requirements = importlib.import_module("mlflow.utils.requirements_utils")
        requirements._init_packages_to_modules_map()
    gc.collect()
    gc.freeze()
    found = _serve(int(sys.argv[1]), int(sys.argv[2]))
    if found:
        _end_as_python_does(found)
