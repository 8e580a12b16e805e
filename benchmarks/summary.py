"""Medians and spreads of what was measured, and ratios, round by round."""

from collections.abc import Mapping, Sequence

from benchmarks.definition import Goal, Pair
from benchmarks.journal import Record
from tools.runs.spread import Spread, spread

Records = Mapping[tuple[str, str, int], Record]


def quantity_of(records: Sequence[Record], quantity: str) -> Spread | None:
    """A quantity of some rounds; None where it was not measured in any of them."""
    values = [value for record in records if (value := of(record, quantity)) is not None]
    return spread(values) if values else None


def ratios(pair: Pair, goal: Goal, records: Records) -> Spread | None:
    """The goal's quantity, divided round by round where it is a ratio.

    Both sides of a division were measured within minutes of each other: what
    slows a machine down for an hour does not stand in it.
    """
    values = []
    for number in range(1, pair.rounds + 1):
        value = _value(pair, goal.of, number, goal.quantity, records)
        if goal.over is not None:
            over = _value(pair, goal.over, number, goal.quantity, records)
            value = value / over if value is not None and over else None
        if value is not None:
            values.append(value)
    return spread(values) if values else None


def of_variant(pair: Pair, variant: str, records: Records) -> list[Record]:
    """The records of a variant, in the order of the rounds."""
    keys = [(pair.name, variant, number) for number in range(1, pair.rounds + 1)]
    return [records[key] for key in keys if key in records]


def of(record: Record, quantity: str) -> float | None:
    """A quantity of a record; the seconds are those of the recipe with all its epochs."""
    name = "counted_seconds" if quantity == "seconds" else quantity
    value: float | None = getattr(record, name)
    return value


def _value(pair: Pair, variant: str, number: int, quantity: str, records: Records) -> float | None:
    record = records.get((pair.name, variant, number))
    return of(record, quantity) if record else None
