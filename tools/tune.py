"""Let Optuna choose parameters: a search's file, each trial an experiment of its own.

The value is the accuracy on the validation images, never on the test images.
Stopped at any moment, the same command goes on: the study is in
.state/optuna.db, the running trials from their last epoch. No DVC stage.
"""

import argparse
from pathlib import Path

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
from tools.experiments.space import Space

SHOWN = 10


def main() -> int:
    arguments = _parser().parse_args()
    repository = Repository(paths.root())
    commit = checked_commit(repository, arguments.as_committed)
    base = repository.base(commit)
    file = read_file(arguments.file)
    space = Space(str(arguments.file), file, base)
    engine = cluster_engine(
        "tune", space.name, arguments, repository, commit, file.resources, space.threads()
    )
    with Runner("tune", space.name, repository, commit, arguments.jobs, engine) as runner:
        say("tune", f"{space.name}: {space.search.trials} trials, logs in {shown(runner.logs)}")
        from tools.experiments import tuning  # imports Optuna

        study = tuning.tune(space, runner)
    ended = [trial for trial in study.trials if trial.value is not None]
    if not ended:
        say("tune", "no trial came to its end; see the logs")
        return 1
    ended.sort(key=lambda trial: -(trial.value or 0))
    print(f"\n  {'experiment':<24} validation accuracy  chosen")
    for trial in ended[:SHOWN]:
        name, chosen = trial.user_attrs[tuning.EXPERIMENT], tuning.drawn(trial.params)
        print(f"  {name:<24} {trial.value:>19.4f}  {chosen}")
    print()
    say("tune", f"`dvc exp apply {ended[0].user_attrs[tuning.EXPERIMENT]}` brings the best back")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("tools.tune", __doc__)
    parser.add_argument("file", type=Path, metavar="FILE", help="experiments/search.yaml, say")
    add_engine_options(parser)
    return parser


if __name__ == "__main__":
    run_program("tune", main, STOPPED)
