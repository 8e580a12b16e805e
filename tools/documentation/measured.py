"""Tables of what was measured: reports/*.json and *.csv, which Git keeps."""

import csv
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tools.documentation.blocks import code, table

Line = Mapping[str, str]
# Quantity of a goal: its words and digits, as a ratio and by itself.
QUANTITIES: dict[str, tuple[str, Callable[[float], str], Callable[[float], str]]] = {
    "seconds": ("time", lambda x: f"{x:.3f}", lambda x: f"{x:,.1f} s"),
    "images_per_second": ("images a second", lambda x: f"{x:.2f}", lambda x: f"{x:,.0f}"),
    "peak_mib": ("peak memory", lambda x: f"{x:.2f}", lambda x: f"{x:,.0f} MiB"),
    "accuracy": ("test accuracy", lambda x: f"{x:.3f}", lambda x: f"{x:.4f}"),
}
DASH = "–"


def goals_table(reports: Path) -> str:
    """Every goal of the benchmark: found, asked, and met or missed by how much."""
    rows = []
    for pair in _json(reports / "benchmark.json").get("pairs", {}).values():
        for number, goal in enumerate(pair["goals"]):
            words, as_ratio, alone = QUANTITIES[goal["quantity"]]
            shown = as_ratio if goal["over"] else alone
            bound = goal.get("most", goal.get("least"))
            asked = f"{'at most' if 'most' in goal else 'at least'} {shown(bound)}"
            what = f"{words} of {goal['of']}"
            what += f", over {goal['over']}" if goal["over"] else ""
            rows.append((pair["about"] if not number else "", what, *_found(goal, shown), asked))
    return table(("pair", "quantity", "found", "", "goal"), rows)


def machine_words(reports: Path) -> str:
    """A sentence on where and when the goals were measured."""
    pairs = _json(reports / "benchmark.json").get("pairs", {}).values()
    found = [pair["measured"] for pair in pairs if "measured" in pair]
    if not found:
        return ""
    wheres = sorted({_where(each["machine"]) for each in found})
    days = sorted({each[end][:10] for each in found for end in ("from", "to")})
    when = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    return (
        f"Measured on {', and on '.join(wheres)}, {when}; other programs used "
        f"{max(each['others_at_most'] for each in found):.0%} of them at most. "
        "Medians, least to most in brackets."
    )


def _where(machine: Mapping[str, Any]) -> str:
    flags = ", ".join(machine["flags"])
    return f"{machine['processors']} processors of an {machine['processor']} ({flags})"


def precision_table(reports: Path) -> str:
    """Images a second of each network by precision and threads."""
    pair = _json(reports / "benchmark.json").get("pairs", {}).get("precision")
    if not pair:
        return ""
    by_model: dict[str, dict[tuple[str, int], Mapping[str, list[float]]]] = {}
    for variant in pair["variants"].values():
        asked = variant["parameters"]
        by_model.setdefault(asked["model"], {})[asked["dtype"], asked["threads"]] = variant
    kinds = [(dtype, threads) for dtype in ("float32", "mixed_bfloat16") for threads in (1, 2)]
    rows = []
    for model, found in by_model.items():
        if all(found.get(kind, {}).get("images_per_second") for kind in kinds):
            rates = [_middle(found[kind]["images_per_second"]) for kind in kinds]
            ratio = f"{rates[3] / rates[1]:.2f}"
            ends = [found[kind] for kind in (kinds[1], kinds[3])]
            seconds = ", ".join(f"{_middle(each['seconds']):.0f}" for each in ends)
            scores = ", ".join(f"{_middle(each['accuracy']):.3f}" for each in ends)
            rows.append((code(model), *(f"{r:,.0f}" for r in rates), ratio, seconds, scores))
    head = ("`model`", "images/s: float32, 1 thread", "2 threads", "bfloat16, 1 thread")
    more = ("2 threads", "bfloat16 / float32", "seconds: float32, bfloat16", "test: the same")
    return table((*head, *more), rows)


def published_table(reports: Path) -> str:
    """All published rows: what the source says, and what came out here."""
    head = ("row", "data", "network", "dropout", "epochs", "batch", "published", "here")
    rows = [
        (
            code(line["name"]),
            line["data"],
            code(line["network"]),
            line["dropout"].replace(" ", ", ") or DASH,
            line["epochs"],
            line["batch_size"],
            line["published"],
            _here(line),
            _interval(line),
            line["seconds"] or DASH,
            line["date"] or DASH,
        )
        for line in _csv(reports / "published.csv")
    ]
    return table((*head, "points (95%)", "training, s", "on"), rows)


def results_table(reports: Path) -> str:
    """README's: the default, photographs on a pretrained base, the published rows."""
    rows = []
    for line in _default(reports):
        what = f"{line['images']} images of {line['data']}, {line['model']}, the default"
        rows.append((code(line["command"]), DASH, line["accuracy"], what))
    best = max(_csv(reports / "bases.csv"), key=_mean, default=None)
    if best:
        what = "1,000 cats and dogs, 2,000 to learn from, three seeds"
        rows.append((code(f"-S model={best['model']}"), DASH, f"{_mean(best):.3f}", what))
    for line in _csv(reports / "published.csv"):
        what = f"{line['data']}, {line['network']}, {line['epochs']} epochs ({line['source']})"
        is_number = line["published"][:1].isdigit()
        if line["accuracy"] or is_number:
            published = line["published"].split(",")[0] if is_number else DASH
            rows.append((code(line["name"]), published, _here(line), what))
    return table(("by", "published", "here", "on"), rows)


def bases_measured_table(reports: Path) -> str:
    """reports/bases.csv: one line a base and setting, the seeds side by side."""
    rows = []
    for line in _csv(reports / "bases.csv"):
        what = f"{code(line['model'])}, {line['setting']}"
        tests = ", ".join(line["accuracy"].split())
        rows.append((what, tests, ", ".join(line["seconds"].split())))
    return table(("base", "test", "seconds"), rows)


def peers_table(reports: Path) -> str:
    """What of reports/peers.csv a README has room for; docs/peers.md has all of it."""
    heads = {
        "lines": "lines to write",
        "first_model_mnist_5k_s": "seconds to a first model, digits",
        "first_model_photos_s": "photographs",
        "accuracy_mnist_5k": "accuracy, digits",
        "accuracy_photos": "photographs",
        "same_bytes": "the same bytes again",
        "killed": "killed in the middle: lost",
    }
    lines = _csv(reports / "peers.csv")
    kept = {name: head for name, head in heads.items() if any(line.get(name) for line in lines)}
    rows = [
        (f"{line['tool']} {line['version']}".strip(), *(line[name] or DASH for name in kept))
        for line in lines
    ]
    return table(("tool", *kept.values()), rows)


def _found(goal: Mapping[str, Any], shown: Callable[[float], str]) -> tuple[str, str]:
    """The median with its spread, and whether that is enough."""
    middle = goal["median"]
    if middle is None:
        return "not measured", ""
    values = goal["values"]
    spread = f" ({shown(min(values))} to {shown(max(values))})" if len(values) > 1 else ""
    if goal["met"]:
        return f"{shown(middle)}{spread}", "met"
    bound = goal.get("most", goal.get("least"))
    return f"{shown(middle)}{spread}", f"**missed** by {abs(middle / bound - 1):.1%}"


def _here(line: Line) -> str:
    if not line["accuracy"]:
        return "not run yet"
    return line["accuracy"] + (f" ± {line['spread']}" if line["spread"] else "")


def _interval(line: Line) -> str:
    return "{difference} ({low} to {high})".format(**line) if line["difference"] else DASH


def _mean(line: Line) -> float:
    values = [float(each) for each in line["accuracy"].split()]
    return sum(values) / len(values)


def _middle(values: list[float]) -> float:
    ordered = sorted(values)
    return (ordered[(len(values) - 1) // 2] + ordered[len(values) // 2]) / 2


def _default(reports: Path) -> list[dict[str, str]]:
    found = _json(reports / "default.json")
    return [{key: str(value) for key, value in found.items()}] if found else []


def _json(path: Path) -> dict[str, Any]:
    """The file's content; nothing where it is not there yet."""
    if not path.is_file():
        return {}
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _csv(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
