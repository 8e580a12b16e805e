"""The table that a sweep ends with: a line for each experiment, repeats taken together."""

from collections.abc import Mapping, Sequence

from tools.experiments.experiment import Experiment
from tools.experiments.results import Result, mean_and_spread

HEADER = ("experiment", "runs", "test accuracy", "test loss", "training")


def comparison(
    experiments: Sequence[Experiment], results: Mapping[str, Result], failed: Mapping[str, str]
) -> str:
    """The best mean accuracy first; what failed stands below with its last line.

    A mean of several seeds has its spread behind it: one standard deviation of
    the sample.
    """
    groups: dict[str, list[Result]] = {}
    for experiment in experiments:
        if experiment.name in results:
            groups.setdefault(experiment.group, []).append(results[experiment.name])
    order = sorted(groups, key=lambda group: -_mean([r.accuracy for r in groups[group]]))
    rows = [HEADER, *(_row(group, groups[group]) for group in order)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEADER))]
    lines = []
    for row in rows:
        figures = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join([row[0].ljust(widths[0]), *figures]))
    lines += [f"{name}: failed: {reason}" for name, reason in failed.items()]
    return "\n".join(f"  {line}" for line in lines)


def with_spread(values: Sequence[float], digits: int = 4) -> str:
    """0.9512, or 0.9512 ± 0.0031 where there are several values."""
    mean, spread = mean_and_spread(values)
    text = f"{mean:.{digits}f}"
    return text if spread is None else f"{text} ± {spread:.{digits}f}"


def _row(group: str, results: Sequence[Result]) -> tuple[str, ...]:
    seconds = [result.seconds for result in results if result.seconds is not None]
    return (
        group,
        str(len(results)),
        with_spread([result.accuracy for result in results]),
        with_spread([result.loss for result in results]),
        f"{with_spread(seconds, 1)} s" if seconds else "–",
    )


def _mean(values: Sequence[float]) -> float:
    return mean_and_spread(values)[0]
