"""What `tools.sweep`, `tune`, `published` and `bench` share: their parser, and their words."""

import argparse
from pathlib import Path

from pipeline.runtime import paths
from pipeline.runtime.stage import program_parser

STOPPED = "stopped; the same command resumes from here"


def command_parser(module: str, description: str | None) -> argparse.ArgumentParser:
    """The parser of `python -m <module>`, with the option that all of them have."""
    parser = program_parser(module, description)
    parser.add_argument(
        "--as-committed",
        action="store_true",
        help="run the last commit although this folder has changes that are not committed",
    )
    return parser


def shown(path: Path) -> str:
    """A path as one types it: relative to the repository where it is below it."""
    root = paths.root()
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
