"""What was measured, as a table to read and as JSON to keep."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.definition import Definition, Goal, Pair, Variant
from benchmarks.journal import Record
from benchmarks.summary import Records, of_variant, quantity_of, ratios
from tools.runs.spread import Spread

# Quantity, its column's head, digits.
COLUMNS = (
    ("seconds", "seconds", 1),
    ("epoch_seconds", "an epoch, s", 2),
    ("images_per_second", "images/s", 0),
    ("peak_mib", "peak, MiB", 0),
    ("accuracy", "accuracy", 4),
)
WORDS = {
    "seconds": "seconds",
    "images_per_second": "images a second",
    "peak_mib": "peak memory",
    "accuracy": "test accuracy",
}
# Above this share of the processors for other programs, a time says little.
BUSY = 0.05


def text(pairs: Sequence[Pair], records: Records, skipped: Mapping[str, str]) -> str:
    """Each pair with its variants, medians first and what lies around them, and its goals."""
    parts = []
    for pair in pairs:
        lines = [f"{pair.name}: {pair.about}", *_rows(pair, records)]
        lines += [f"  {_goal_words(pair, goal, records)}" for goal in pair.goals]
        if pair.name in skipped:
            lines.append(f"  skipped: {skipped[pair.name]}")
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def busy(records: Records) -> str | None:
    """A warning, where other programs used the processors while it was measured."""
    others = [record.others for record in records.values()]
    disturbed = sum(share > BUSY for share in others)
    if not disturbed:
        return None
    return (
        f"{disturbed} of {len(others)} measurements had other programs beside them, which used up "
        f"to {max(others):.0%} of the processors; --again measures anew"
    )


def as_json(
    definition: Definition,
    records: Records,
    skipped: Mapping[str, str],
    machine: Mapping[str, Any],
    before: Mapping[str, Any],
) -> dict[str, Any]:
    """reports/benchmark.json: what was asked, all values in the order of the rounds, the ratios.

    Nothing of the machine's paths: commands and data stand as the definition has them.
    A pair of which nothing stands here keeps what the file had `before`, measured
    elsewhere perhaps, where the same was asked.
    """
    pairs = {}
    for pair in definition.pairs:
        own = {key: record for key, record in records.items() if key[0] == pair.name}
        asked = _asked(definition, pair)
        kept = before.get("pairs", {}).get(pair.name, {})
        same = asked == {key: kept.get(key) for key in asked}
        if not own and "measured" in kept and same and _commands(kept) == _commands_of(pair):
            pairs[pair.name] = kept
            continue
        pairs[pair.name] = {
            **asked,
            **({"measured": _measured(own, machine)} if own else {}),
            "variants": {
                variant.name: _variant(variant, of_variant(pair, variant.name, records))
                for variant in pair.variants
            },
            "goals": [_goal(pair, goal, records) for goal in pair.goals],
            **({"skipped": skipped[pair.name]} if pair.name in skipped else {}),
        }
    return {"pairs": pairs}


def _asked(definition: Definition, pair: Pair) -> dict[str, Any]:
    return {
        "about": pair.about,
        "data": definition.workspaces[pair.workspace],
        "parameters": pair.overrides,
    }


def _commands_of(pair: Pair) -> dict[str, Any]:
    return {each.name: (each.command, each.overrides) for each in pair.variants}


def _commands(kept: Mapping[str, Any]) -> dict[str, Any]:
    return {name: (v["command"], v["parameters"]) for name, v in kept["variants"].items()}


def _measured(records: Records, machine: Mapping[str, Any]) -> dict[str, Any]:
    dates = sorted(record.date for record in records.values())
    return {
        "commits": sorted({record.commit for record in records.values()}),
        "from": dates[0],
        "to": dates[-1],
        "machine": dict(machine),
        "others_at_most": max(record.others for record in records.values()),
    }


def _rows(pair: Pair, records: Records) -> list[str]:
    measured = [(each, of_variant(pair, each.name, records)) for each in pair.variants]
    cells = {
        each.name: [_cell(quantity_of(found, quantity), digits) for quantity, _, digits in COLUMNS]
        for each, found in measured
    }
    # Columns that say nothing of this pair are left out.
    shown = [i for i in range(len(COLUMNS)) if any(row[i] for row in cells.values())]
    if not shown:
        return ["  not measured yet"]
    table = [["", *(COLUMNS[i][1] for i in shown), "runs"]]
    table += [
        [
            each.name,
            *(cells[each.name][i] or "–" for i in shown),
            f"{len(found)} of {pair.rounds_of(each)}",
        ]
        for each, found in measured
    ]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [
        "  " + "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])])
        for row in table
    ]


def _cell(found: Spread | None, digits: int) -> str:
    """12.3 (12.1–12.9), the median and what lies around it; 12.3 of a single value."""
    if found is None:
        return ""
    middle = f"{found.median:,.{digits}f}"
    if found.count == 1:
        return middle
    return f"{middle} ({found.least:,.{digits}f}–{found.most:,.{digits}f})"


def _goal_words(pair: Pair, goal: Goal, records: Records) -> str:
    over = f" / {goal.over}" if goal.over else ""
    bound = f"at most {goal.most:g}" if goal.most is not None else f"at least {goal.least:g}"
    found = ratios(pair, goal, records)
    if found is None:
        return f"{WORDS[goal.quantity]}: {goal.of}{over}: goal {bound}: not measured"
    digits = 1 if goal.quantity == "seconds" and not goal.over else 4 if not goal.over else 3
    met = "met" if goal.met(found.median) else "missed"
    return f"{WORDS[goal.quantity]}: {goal.of}{over}: {_cell(found, digits)}, goal {bound}: {met}"


def _variant(variant: Variant, found: Sequence[Record]) -> dict[str, Any]:
    result: dict[str, Any] = {"command": variant.command, "parameters": variant.overrides}
    quantities = ["seconds", *(name for name, _, _ in COLUMNS[1:]), "others"]
    if variant.counts_as_epochs:
        result["counts_as_epochs"] = variant.counts_as_epochs
        quantities.insert(1, "counted_seconds")
    for name in quantities:
        values = [getattr(record, name) for record in found]
        if any(value is not None for value in values):
            result[name] = values
    return result


def _goal(pair: Pair, goal: Goal, records: Records) -> dict[str, Any]:
    found = ratios(pair, goal, records)
    asked: dict[str, Any] = {"quantity": goal.quantity, "of": goal.of, "over": goal.over}
    asked |= {"most": goal.most} if goal.most is not None else {"least": goal.least}
    if found is None:
        return {**asked, "median": None}
    return {
        **asked,
        "median": round(found.median, 4),
        "values": [round(value, 4) for value in found.values],
        "met": goal.met(found.median),
    }
