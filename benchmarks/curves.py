"""What growing costs, as a table and a picture: seconds and memory against one quantity."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

# A stage whose processor seconds have a smaller exponent does not grow: it is left out.
STILL = 0.05
QUANTITIES = (("seconds", "seconds", 1), ("cpu", "processor seconds", 1), ("mib", "MiB", 0))


@dataclass(frozen=True)
class Curve:
    """A stage's values of one quantity at growing places."""

    at: Sequence[float]
    values: Sequence[float]

    @property
    def exponent(self) -> float:
        """The slope of log(value) against log(place), by least squares."""
        return slope(self.at, self.values)

    @property
    def last(self) -> float:
        """The slope between the last two places, where what every start costs weighs least."""
        return slope(self.at[-2:], self.values[-2:])


def slope(at: Sequence[float], values: Sequence[float]) -> float:
    """k of value = c · place^k, fitted to the logarithms; both above 0, two places or more."""
    x, y = np.log(np.asarray(at, float)), np.log(np.asarray(values, float))
    x = x - x.mean()
    return float((x @ y) / (x @ x))


def curves(points: Sequence[Mapping[str, Any]], quantity: str) -> dict[str, Curve]:
    """Of each stage, from points in the order of their places.

    Args:
        points: {"at": a place, "stages": {stage: {quantity: value}}}.
    """
    at = [float(point["at"]) for point in points]
    return {
        stage: Curve(at, [max(float(point["stages"][stage][quantity]), 1e-3) for point in points])
        for stage in points[0]["stages"]
    }


def table(axis: str, points: Sequence[Mapping[str, Any]]) -> str:
    """Markdown: a row a stage that grows, its values, their exponents, those at the end."""
    found = {name: curves(points, name) for name, _, _ in QUANTITIES}
    places = " · ".join(f"{point['at']:,}" for point in points)
    if not _growing(points):
        return f"At {places} {axis} every stage takes as much of the processors."
    lines = [["stage"], ["---"] * (1 + 2 * len(QUANTITIES))]
    for number, (_, words, _) in enumerate(QUANTITIES):
        lines[0] += [words if number else f"{words} at {places} {axis}", "k, at the end"]
    for stage in _growing(points):
        line = [f"`{stage}`"]
        for name, _, digits in QUANTITIES:
            curve = found[name][stage]
            line.append(" · ".join(f"{value:,.{digits}f}" for value in curve.values))
            line.append(f"{curve.exponent:.2f}, {curve.last:.2f}")
        lines.append(line)
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _growing(points: Sequence[Mapping[str, Any]]) -> list[str]:
    """The stages that take more of the processors at larger places."""
    return [
        stage
        for stage, curve in curves(points, "cpu").items()
        if max(curve.exponent, curve.last) >= STILL
    ]


def picture(axis: str, points: Sequence[Mapping[str, Any]]) -> bytes:
    """PNG of the processor seconds: both axes logarithmic, a line a stage that grows, a dotted
    one for 'as its input'."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    from pipeline.figures import style

    found = curves(points, "cpu")
    with style.figure(8, 4.6) as figure:
        plot = figure.add_subplot()
        style.grid(plot, "both")
        for stage in _growing(points):
            curve = found[stage]
            plot.plot(curve.at, curve.values, "o-", label=f"{stage}, {curve.last:.2f} at the end")
        first = found["prepare"]
        even = [first.values[0] * place / first.at[0] for place in first.at]
        plot.plot(first.at, even, ":", color=style.FAINT, label="twice as many, twice as long")
        plot.set_xscale("log")
        plot.set_yscale("log")
        plot.set_xticks(first.at)
        for each in (plot.xaxis, plot.yaxis):
            each.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
            each.set_minor_formatter(NullFormatter())
        plot.set_xlabel(axis)
        plot.set_ylabel("processor seconds")
        plot.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
        return style.png(figure)
