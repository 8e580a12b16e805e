"""What growing costs, as a table and a picture: seconds and memory against one quantity."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

# Below this exponent a stage does not grow: it is left out of the table.
STILL = 0.03
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
    """Markdown: a row a stage that grows, its values, and the exponents."""
    found = {name: curves(points, name) for name, _, _ in QUANTITIES}
    places = " · ".join(f"{point['at']:,}" for point in points)
    head = ["stage", f"seconds at {places} {axis}", "grows by", "at the end", "processor", "MiB"]
    lines = [head, ["---"] * (len(head) + 1)]
    head.append("grows by")
    for stage, curve in found["seconds"].items():
        cpu, mib = found["cpu"][stage], found["mib"][stage]
        if max(curve.exponent, cpu.exponent, mib.exponent) < STILL:
            continue
        lines.append(
            [
                f"`{stage}`",
                " · ".join(f"{value:,.1f}" for value in curve.values),
                f"{curve.exponent:.2f}",
                f"{curve.last:.2f}",
                f"{cpu.exponent:.2f}",
                " · ".join(f"{value:,.0f}" for value in mib.values),
                f"{mib.exponent:.2f}",
            ]
        )
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def picture(axis: str, points: Sequence[Mapping[str, Any]]) -> bytes:
    """PNG: both axes logarithmic, a line a stage that grows, a dotted one for 'as its input'."""
    from pipeline.figures import style

    with style.figure(8, 4.6) as figure:
        plot = figure.add_subplot()
        style.grid(plot, "both")
        for stage, curve in curves(points, "seconds").items():
            if curve.exponent >= STILL:
                plot.plot(
                    curve.at, curve.values, "o-", label=f"{stage}, {curve.last:.2f} at the end"
                )
        first = curves(points, "seconds")["prepare"]
        even = [first.values[0] * place / first.at[0] for place in first.at]
        plot.plot(first.at, even, ":", color=style.FAINT, label="twice as many, twice as long")
        plot.set_xscale("log")
        plot.set_yscale("log")
        plot.set_xlabel(axis)
        plot.set_ylabel("seconds")
        plot.legend(loc="best")
        return style.png(figure)
