"""The table that a sweep ends with: a line for each experiment, repeats taken together."""

import math
from collections.abc import Mapping, Sequence

from tools.experiments.experiment import Experiment
from tools.runs.run import Run, folds_of
from tools.runs.spread import Spread, spread

HEADER = ("experiment", "runs", "test accuracy", "95% interval", "test loss", "training")


def comparison(
    experiments: Sequence[Experiment], runs: Mapping[str, Run], failed: Mapping[str, str]
) -> str:
    """The best mean accuracy first; what failed stands below with its last line.

    A mean of several seeds and folds has its spread behind it, one standard
    deviation of the sample, and then the interval of that mean.
    """
    groups: dict[str, list[Run]] = {}
    for experiment in experiments:
        if experiment.name in runs:
            groups.setdefault(experiment.group, []).append(runs[experiment.name])
    order = sorted(groups, key=lambda group: -spread_of(groups[group], "test_accuracy").mean)
    rows = [HEADER, *(_row(group, groups[group]) for group in order)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEADER))]
    lines = []
    for row in rows:
        figures = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join([row[0].ljust(widths[0]), *figures]))
    lines += [f"{name}: failed: {reason}" for name, reason in failed.items()]
    return "\n".join(f"  {line}" for line in lines)


def spread_of(runs: Sequence[Run], metric: str) -> Spread:
    """A figure of those runs that have it; of none it is no number."""
    found = [run.metrics[metric] for run in runs if metric in run.metrics]
    return spread(found or [math.nan], folds_of(runs[0]) if runs else None)


def _row(group: str, runs: Sequence[Run]) -> tuple[str, ...]:
    seconds, accuracy = spread_of(runs, "train_seconds"), spread_of(runs, "test_accuracy")
    return (
        group,
        str(len(runs)),
        accuracy.words(),
        accuracy.interval_words(),
        spread_of(runs, "test_loss").words(),
        "–" if math.isnan(seconds.mean) else f"{seconds.words(1)} s",
    )
