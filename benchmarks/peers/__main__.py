"""Measure this project beside other tools on the same images, and write reports/peers.csv
and docs/peers.md.

    python -m benchmarks.peers                     # all of them, where they stand now
    python -m benchmarks.peers --only fastai

Each tool gets an environment of its own under --folder (PyTorch brings CUDA's libraries, 6 GB
once), a small script or command as its makers show it, the same images and the same number of
epochs, and trains from scratch. Measured are two runs on mnist_5k, one that is killed at half
time and started again, and one on 2,000 photographs of cats and dogs, which are in the folder
that IMAGE_PIPELINE_TEST_DATA names. What is measured stands; the same command goes on after a
kill. No DVC stage.
"""

import argparse
import itertools
from pathlib import Path

from benchmarks.page import write_between
from benchmarks.peers import table
from benchmarks.peers.definition import EPOCHS, PEERS
from benchmarks.peers.running import RUNS, Peers
from pipeline.errors import PipelineError, did_you_mean
from pipeline.runtime import files, paths
from pipeline.runtime.stage import run_program, say
from tools.experiments.command import STOPPED, command_parser, shown
from tools.experiments.repository import Repository
from tools.experiments.runner import checked_commit

CSV, PAGE = "peers.csv", Path("docs/peers.md")
START, END = "<!-- measured by benchmarks.peers -->", "<!-- end of what was measured -->"


def main() -> int:
    arguments = _parser().parse_args()
    names = [peer.name for peer in PEERS]
    for name in arguments.only:
        if name not in names:
            raise PipelineError(f"--only: {name}: unknown tool{did_you_mean(name, names)}")
    repository = Repository(paths.root())
    commit = checked_commit(repository, arguments.as_committed)
    peers = Peers(arguments.folder.resolve(), repository, commit, arguments.epochs)
    chosen = [peer for peer in PEERS if not arguments.only or peer.name in arguments.only]
    if arguments.again:
        for peer in chosen:
            peers.forget(peer)
    failed = set()
    target = paths.root() / paths.REPORTS / CSV
    for name, peer in itertools.product(RUNS, chosen):
        if peer.name in failed:
            continue
        try:
            peers.measure(peer, name)
        except PipelineError as error:
            failed.add(peer.name)
            say("peers", f"{peer.name}: {name}: {error}")
        found = [(each, peers.record(each)) for each in PEERS]
        files.write_csv(target, table.COLUMNS, table.rows(found))
        write_between(paths.root() / PAGE, START, END, table.markdown(found))
    say("peers", f"the table is in {shown(target)} and {PAGE}")
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("benchmarks.peers", __doc__)
    parser.add_argument("--only", action="append", default=[], metavar="TOOL", help="this tool")
    parser.add_argument("--again", action="store_true", help="measure what is measured already")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help=f"of training ({EPOCHS})")
    parser.add_argument(
        "--folder",
        type=Path,
        default=paths.state() / "peers",
        help="environments, images and logs (default: .state/peers)",
    )
    return parser


if __name__ == "__main__":
    run_program("peers", main, STOPPED)
