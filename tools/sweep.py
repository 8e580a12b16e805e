"""Run the experiments of a file, one or several at a time, each as a DVC experiment.

What is finished already, at this commit and with the same parameters, is not
run again: after a failure, a crash or Ctrl-C the same command goes on with
what is missing. Experiments run the last commit, in clones under .state/sweeps;
what changes in this folder meanwhile does not touch them. No DVC stage.
"""

import argparse
import os
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.runtime import paths
from pipeline.runtime.stage import run_program, say
from tools.experiments.command import (
    STOPPED,
    add_engine_options,
    cluster_engine,
    command_parser,
    shown,
)
from tools.experiments.file import read_file
from tools.experiments.repository import Repository
from tools.experiments.runner import Runner, checked_commit
from tools.experiments.table import comparison


def main() -> int:
    arguments = _parser().parse_args()
    repository = Repository(paths.root())
    commit = checked_commit(repository, arguments.as_committed)
    base = repository.base(commit)
    file = read_file(arguments.file)
    if file.search:
        raise PipelineError(f"{arguments.file}: a search; `make tune FILE=…` runs it")
    entries = [entry for entry in file.entries if not entry.open]
    experiments = file.expanded(str(arguments.file), base, entries)
    threads = max(experiment.parameters["threads"] for experiment in experiments)
    processors = os.cpu_count() or 1
    name, jobs = arguments.file.stem, arguments.jobs or 1
    if not arguments.cluster and jobs > 1 and jobs * threads > processors:
        say(
            "sweep",
            f"{jobs} at a time with threads: {threads} on {processors} processors get in each "
            f"other's way; `threads: {max(1, processors // jobs)}` under defaults helps",
        )
    engine = cluster_engine("sweep", name, arguments, repository, commit, file.resources, threads)
    with Runner("sweep", name, repository, commit, arguments.jobs, engine) as runner:
        say("sweep", f"{len(experiments)} experiments, logs in {shown(runner.logs)}")
        outcome = runner.run(experiments)
    print(f"\n{comparison(experiments, outcome.finished, outcome.failed)}\n")
    if outcome.failed:
        say("sweep", f"{len(outcome.failed)} failed; the same command tries them again")
    else:
        say("sweep", "`dvc exp show` has them all; `dvc exp apply NAME` brings one back")
    return 1 if outcome.failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("tools.sweep", __doc__)
    parser.add_argument("file", type=Path, metavar="FILE", help="experiments/example.yaml, say")
    add_engine_options(parser)
    return parser


if __name__ == "__main__":
    run_program("sweep", main, STOPPED)
