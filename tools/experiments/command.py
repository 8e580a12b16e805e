"""What `tools.sweep`, `tune`, `published` and `bench` share: their parser, and how they end."""

import argparse
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from pipeline.errors import PipelineError
from pipeline.runtime import paths
from pipeline.runtime.stage import Stopped


def command_parser(module: str, description: str | None) -> argparse.ArgumentParser:
    """The parser of `python -m <module>`, with the option that all of them have."""
    parser = argparse.ArgumentParser(
        prog=f"python -m {module}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--as-committed",
        action="store_true",
        help="run the last commit although this folder has changes that are not committed",
    )
    return parser


def run_command(name: str, main: Callable[[], int]) -> None:
    """Call `main` and exit with what it returns.

    Exit status 1 and one line on standard error after a `PipelineError`; 130
    after Ctrl-C and 143 after SIGTERM, with a line that says how to go on.
    """

    def on_term(number: int, frame: FrameType | None) -> None:
        raise Stopped

    signal.signal(signal.SIGTERM, on_term)
    try:
        status = main()
    except PipelineError as error:
        print(f"{name}: {error}", file=sys.stderr)
        status = 1
    except (KeyboardInterrupt, Stopped) as error:
        print(f"{name}: stopped; the same command resumes from here", file=sys.stderr)
        status = 130 if isinstance(error, KeyboardInterrupt) else 143
    sys.exit(status)


def shown(path: Path) -> str:
    """A path as one types it: relative to the repository where it is below it."""
    root = paths.root()
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
