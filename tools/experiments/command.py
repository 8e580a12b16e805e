"""What `tools.sweep`, `tune`, `published` and `bench` share: their parser, and their words."""

import argparse
from pathlib import Path

from pipeline.runtime import paths
from pipeline.runtime.stage import program_parser
from tools.experiments.engine import Engine
from tools.experiments.file import Resources
from tools.experiments.repository import Repository

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


def add_engine_options(parser: argparse.ArgumentParser) -> None:
    """Where experiments run, and how many at a time."""
    parser.add_argument(
        "--jobs",
        type=int,
        help="how many at a time (default: 1; on a cluster as many as have room)",
    )
    parser.add_argument(
        "--cluster",
        metavar="ADDRESS",
        help="run them on this Ray cluster, auto or HOST:PORT (docs/scale.md)",
    )


def cluster_engine(
    command: str,
    name: str,
    arguments: argparse.Namespace,
    repository: Repository,
    commit: str,
    resources: Resources,
    threads: int,
) -> Engine | None:
    """The cluster that was asked for; None: this machine. `threads` is the most of them."""
    if not arguments.cluster:
        return None
    from tools.experiments.cluster import RayCluster

    how = (command, name, arguments.cluster, arguments.jobs)
    return RayCluster(*how, repository, commit, resources, threads)


def shown(path: Path) -> str:
    """A path as one types it: relative to the repository where it is below it."""
    root = paths.root()
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
