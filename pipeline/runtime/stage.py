"""Running one stage as a process: its help, its wall time, its failure in one line."""

import argparse
import atexit
import contextlib
import errno
import os
import signal
import sys
import time
from collections.abc import Callable
from types import FrameType

from pipeline.errors import PipelineError
from pipeline.runtime import files, paths

# How a failed stage is told to the experiment's record: (stage, message) -> None.
FailureHook = Callable[[str, str], None]


class Stopped(BaseException):
    """SIGTERM arrived: the stage ends as after Ctrl-C. Not an Exception, so that
    nothing that handles errors takes it for one."""


def say(stage: str, message: str) -> None:
    """Print one line of progress under the stage's name."""
    print(f"{stage}: {message}", flush=True)


def run_stage(
    name: str, main: Callable[[], None], doc: str | None, on_failure: FailureHook | None = None
) -> None:
    """Run `main` as the stage `name` and exit.

    Exit status 0 after success; 1 after a `PipelineError` or a full disk, with
    one line on standard error and no traceback; 130 after Ctrl-C and 143 after
    SIGTERM. Any other exception is a bug and keeps its traceback. The wall time
    in seconds goes to reports/timings/<name>.json, which is no stage's out.
    """
    program_parser(f"stages.{name}", doc).parse_args()

    def leave() -> None:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)

    # Registered first, so the last to run. Python's own end would take TensorFlow
    # apart for a second, to free what the system frees at once.
    atexit.register(leave)
    signal.signal(signal.SIGTERM, _on_term)
    start = time.perf_counter()
    message, status = "", 1
    try:
        main()
        seconds = round(time.perf_counter() - start, 3)
        files.write_json(paths.TIMINGS / f"{name}.json", {f"{name}_seconds": seconds})
        status = 0
    except BaseException as error:
        ended = _ending(error, "`dvc repro`")
        if ended is None:
            if isinstance(error, Exception):
                _report_failure(name, f"{type(error).__name__}: {error}", on_failure)
            raise
        status, message = ended
        if isinstance(error, KeyboardInterrupt | Stopped):
            message += "; `dvc repro` resumes from here"
    if status:
        print(f"{name}: {message}", file=sys.stderr, flush=True)
        _report_failure(name, message, on_failure)
    sys.exit(status)


def program_parser(module: str, doc: str | None) -> argparse.ArgumentParser:
    """The parser of `python -m <module>`, whose help is its docstring as it stands."""
    return argparse.ArgumentParser(
        prog=f"python -m {module}",
        description=doc,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def run_program(name: str, main: Callable[[], int | None], stopped: str = "") -> None:
    """Call `main`, of a program that is no stage, and exit with what it returns (None: 0).

    It ends as a stage does. After Ctrl-C and SIGTERM it says `stopped`, if anything. A reader
    that has seen enough (`| head`) is no failure.
    """
    signal.signal(signal.SIGTERM, _on_term)
    try:
        status = main() or 0
    except BrokenPipeError:
        sys.stdout = None
        status = 0
    except BaseException as error:
        ended = _ending(error, "this")
        if ended is None:
            raise
        status, message = ended
        if isinstance(error, KeyboardInterrupt | Stopped):
            message = stopped
        if message:
            print(f"{name}: {message}", file=sys.stderr, flush=True)
    sys.exit(status)


def _ending(error: BaseException, again: str) -> tuple[int, str] | None:
    """The exit status and the line for what a user can cause; None for a bug."""
    if isinstance(error, PipelineError):
        return 1, str(error)
    if isinstance(error, KeyboardInterrupt):
        return 130, "interrupted"
    if isinstance(error, Stopped):
        return 143, "terminated"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT):
        where = f" while writing {error.filename}" if error.filename else ""
        return 1, f"no room on the disk{where} ({error.strerror}); make room and run {again} again"
    return None


def _on_term(number: int, frame: FrameType | None) -> None:
    raise Stopped


def _report_failure(name: str, message: str, hook: FailureHook | None) -> None:
    if hook is None:
        return
    try:
        hook(name, message)
    except Exception as error:  # the record must not hide the failure itself
        print(f"{name}: the failure was not recorded: {error}", file=sys.stderr)
