"""Measure the pipeline beside plain Keras, and write the ratios to reports/benchmark.json.

The pairs are in experiments/benchmark.yaml. They are measured in clones of the
last commit under .state/benchmark, each process by itself, A B A B; what is
measured stands in the file, and the same command goes on after a kill or Ctrl-C. --quick
measures the quick pairs alone, in about three minutes, and writes nothing to
reports/. Cats and dogs are in the folder that IMAGE_PIPELINE_TEST_DATA names; without it
their pairs are skipped. No DVC stage.
"""

import argparse
from pathlib import Path

from benchmarks import machine, table
from benchmarks.definition import chosen, read_definition
from benchmarks.running import SCRIPTS, Benchmark, Outcome
from pipeline.runtime import files, paths
from pipeline.runtime.stage import run_program, say
from tools.experiments.command import STOPPED, command_parser, shown
from tools.experiments.repository import Repository
from tools.experiments.runner import checked_commit

FILE = Path("experiments/benchmark.yaml")
JSON = "benchmark.json"


def main() -> int:
    arguments = _parser().parse_args()
    repository = Repository(paths.root())
    definition = read_definition(arguments.file)
    pairs = chosen(definition.pairs, arguments.only, arguments.quick)
    commit = checked_commit(repository, arguments.as_committed, SCRIPTS)
    benchmark = Benchmark(repository, definition, commit, paths.state() / "benchmark")
    say("bench", f"{len(pairs)} pairs, logs in {shown(benchmark.logs)}")
    here = machine.description()
    reports = paths.root() / paths.REPORTS
    target = (benchmark.folder if arguments.quick else reports) / JSON
    before = files.read_json(target) if target.exists() else {}

    def keep(outcome: Outcome) -> None:
        found = table.as_json(definition, outcome.standing, outcome.skipped, here, before)
        files.write_json(target, found)

    outcome = benchmark.run(pairs, keep, arguments.again)
    keep(outcome)
    print(f"\n{table.text(pairs, outcome.standing, outcome.skipped)}\n")
    print(f"Medians (least–most). {machine.in_words(here)}; commit {commit[:10]}.")
    of_pairs = {k: r for k, r in outcome.standing.items() if k[0] in {pair.name for pair in pairs}}
    if warning := table.busy(of_pairs):
        say("bench", f"warning: {warning}")
    say("bench", f"all values are in {shown(target)}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("benchmarks.bench", __doc__)
    parser.add_argument("--file", type=Path, default=FILE, help=f"the pairs (default: {FILE})")
    parser.add_argument("--quick", action="store_true", help="the quick pairs alone")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="this pair")
    parser.add_argument("--again", action="store_true", help="measure what is measured already")
    return parser


if __name__ == "__main__":
    run_program("bench", main, STOPPED)
