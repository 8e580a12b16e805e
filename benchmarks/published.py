"""Run the published rows again and write what came out: reports/published.csv, .md and .png.

Rows that stand in the table with the same command are not run again; stopped
at any moment, the same command goes on. `--data cifar100=FOLDER` takes class folders in
place of a data set's own files. The rows are in experiments/published.yaml. No DVC stage.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path

from benchmarks.publication.picture import draw_tuning_log
from benchmarks.publication.rows import Row, chosen, read_rows
from benchmarks.publication.table import Place, compared, line_of, open_line, read_done, write_table
from pipeline.errors import PipelineError
from pipeline.parameters.code import stage_code
from pipeline.parameters.stages import combined
from pipeline.runtime import paths
from pipeline.runtime.stage import run_program, say
from tools.experiments.command import (
    STOPPED,
    add_engine_options,
    cluster_engine,
    command_parser,
    shown,
)
from tools.experiments.experiment import resolved_parameters
from tools.experiments.file import read_file
from tools.experiments.repository import Repository
from tools.experiments.runner import Runner, checked_commit
from tools.runs.run import Run

FILE = Path("experiments/published.yaml")


def main() -> int:
    arguments = _parser().parse_args()
    repository = Repository(paths.root())
    commit = checked_commit(repository, arguments.as_committed)
    base = repository.base(commit)
    rows = read_rows(arguments.file, base, _data(arguments.data), arguments.quick)
    wanted = chosen(rows, arguments.only)
    name = "published-quick" if arguments.quick else "published"
    place = Place(paths.state() / name if arguments.quick else paths.root() / paths.REPORTS)
    lines = read_done(place, rows)
    for row in rows:
        if row.open and row.name not in lines:
            lines[row.name] = open_line(row, row.open)
    todo = []
    for row in wanted:
        if lines.get(row.name, {}).get("accuracy") and not arguments.again:
            _say_done(row, lines[row.name])
        else:
            todo.append(row)
    experiments = [each for row in todo for each in row.experiments]
    threads = max((each.parameters["threads"] for each in experiments), default=1)
    resources = read_file(arguments.file).resources
    engine = cluster_engine("published", name, arguments, repository, commit, resources, threads)
    with Runner("published", name, repository, commit, arguments.jobs, engine) as runner:
        say("published", f"{len(todo)} rows to run, logs in {shown(runner.logs)}")
        if runner.engine.jobs > 1:  # then row by row, what is finished stands
            runner.run(experiments)
        failed = 0
        for number, row in enumerate(todo, 1):
            say("published", f"row {number} of {len(todo)}: {row.expected.source}, {row.data}")
            outcome = runner.run(row.experiments)
            if outcome.failed:
                failed += 1
                reason = next(iter(outcome.failed.values()))
                if not lines.get(row.name, {}).get("accuracy"):
                    lines[row.name] = open_line(row, reason)
            else:
                runs = [outcome.finished[each.name] for each in row.experiments]
                lines[row.name] = line_of(row, runs, commit, _against(row, rows, runs, runner))
            _write(place, rows, lines)
    _write(place, rows, lines)
    say("published", f"the table is in {shown(place.markdown)}")
    return 1 if failed else 0


def _against(row: Row, rows: list[Row], runs: list[Run], runner: Runner) -> str:
    """What the test says of a row and the one that it names; '' where that has not run."""
    for other in (each for each in rows if each.name == row.against):
        found = [runner.finished(each) for each in other.experiments]
        return compared(runs, other.name, [run for run in found if run])
    return ""


def _write(place: Place, rows: list[Row], lines: dict[str, dict[str, str]]) -> None:
    draw_tuning_log(place.picture, rows, lines)
    write_table(place, rows, lines)


def _say_done(row: Row, line: Mapping[str, str]) -> None:
    parameters = resolved_parameters(row.name, row.experiments[0].parameters)
    same = combined(stage_code(parameters)).startswith(line["code"] or "unknown")
    more = "" if same else "; the code has changed since, --again runs it anew"
    say("published", f"{row.name}: stands, of commit {line['commit']}{more}")


def _data(given: list[str]) -> dict[str, Path]:
    """NAME=PATH, several times, as a mapping."""
    found = {}
    for each in given:
        name, equals, path = each.partition("=")
        if not equals or not Path(path).exists():
            raise PipelineError(f"--data: {each}: expected NAME=PATH of a folder or archive")
        found[name] = Path(path)
    return found


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("benchmarks.published", __doc__)
    add_engine_options(parser)
    parser.add_argument("--file", type=Path, default=FILE, help=f"the rows (default: {FILE})")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="this row")
    parser.add_argument("--again", action="store_true", help="run rows that stand in the table too")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="every row for an epoch on tiny digits; the table goes to .state/published-quick",
    )
    parser.add_argument(
        "--data", action="append", default=[], metavar="NAME=PATH", help="class folders for NAME"
    )
    return parser


if __name__ == "__main__":
    run_program("published", main, STOPPED)
