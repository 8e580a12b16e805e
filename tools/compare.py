"""Compare all experiments: reports/experiments.html, one file that opens without a network.

    python -m tools.compare              write the page
    python -m tools.compare A B          and say here whether B is better than A

Reads MLflow's runs with their artifacts and DVC's experiments. No DVC stage:
the page is of today, and no out. A and B are names of experiments or runs, or
run ids.
"""

from collections.abc import Sequence

from pipeline.datasets.names import counted
from pipeline.runtime import files, paths
from pipeline.runtime.stage import program_parser, run_program, say
from tools.comparison import page
from tools.comparison.chance import SIGNIFICANT, compare, incomparable
from tools.comparison.together import differing
from tools.runs import together
from tools.runs.run import Run, folds_of
from tools.runs.spread import spread

PAGE = paths.REPORTS / "experiments.html"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = program_parser("tools.compare", __doc__)
    parser.add_argument("runs", nargs="*", metavar="RUN", help="two runs to be compared here")
    names = parser.parse_args(arguments).runs
    if len(names) not in (0, 2):
        parser.error("name two runs, or none")
    runs, problem = together.all_runs()
    notes = []
    if problem:
        say("compare", f"without MLflow's runs: {problem}")
        notes = [
            f"This page is without MLflow's runs: {problem}. It shows DVC's experiments alone."
        ]
    for run in runs:
        for text in run.results.problems:
            say("compare", f"{run.name}: {text}")
    pair = [together.find(name, runs) for name in names]
    files.write_text(PAGE, page.render(runs, notes))
    say("compare", f"{counted(len(runs), 'experiment')} in {PAGE}")
    if pair:
        print("\n".join(sentences(pair[0], pair[1], runs)))


def sentences(first: Run, second: Run, runs: Sequence[Run]) -> list[str]:
    """What differs between two runs, and whether it is more than chance."""
    unlike, _ = differing([first, second])
    lines = [
        f"  {name:<20} {first.parameters.get(name, '–'):>12} {second.parameters.get(name, '–'):>12}"
        for name in unlike
    ]
    for run, letter in ((first, "A"), (second, "B")):
        values = [one.metrics["test_accuracy"] for one in together.same_setting(run, runs)]
        folds = folds_of(run)
        around = spread(values, folds) if values else None
        over = "seeds and folds" if folds else "seeds"
        words = f"test accuracy over {over} {around}" if around else "no score"
        if around and around.interval:
            words += f", 95% interval {around.interval_words()}"
        lines.append(f"  {letter} {run.name}: {words}")
    if reason := incomparable(first, second):
        return [*lines, f"  no test of the difference: {reason}"]
    found = compare(first, second)
    word = "more than chance" if found.p < SIGNIFICANT else "may well be chance"
    lines.append(
        f"  of {found.images:,} test images only A is right on {found.only_first:,}, only B on "
        f"{found.only_second:,}: B is {100 * found.difference:+.2f} points, mid-p {found.p:.2g} "
        f"(McNemar): {word}"
    )
    return lines


if __name__ == "__main__":
    run_program("compare", main)
