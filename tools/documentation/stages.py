"""The stages in one picture: dvc.yaml's graph as SVG, left to right."""

from html import escape
from pathlib import PurePosixPath
from typing import Any

from ruamel.yaml import YAML

# What a stage leaves, in a few words; a stage without words here is drawn with its name alone.
WORDS = {
    "params": ("one file,", "checked"),
    "download": ("the source,", "by digest"),
    "weights": ("of a pre-", "trained base"),
    "prepare": ("split, sized,", "one-hot"),
    "features": ("a frozen base,", "run once"),
    "twins": ("the same", "picture twice"),
    "train": ("the model,", "its history"),
    "evaluate": ("scores,", "how sure"),
    "report": ("one page", "to read"),
}
WIDTH, HEIGHT, GAP, RISE = 104, 66, 22, 84
STYLE = (
    "text{font-family:system-ui,sans-serif;fill:#1d2530;text-anchor:middle}"
    ".name{font-weight:600;font-size:15px}.words{font-size:12px;fill:#52606f}"
    ".box{fill:#fff;stroke:#2a5da8;stroke-width:1.5}.line{fill:none;stroke:#9aa7b8;stroke-width:1.5}"
)


def drawn(dvc_yaml: str) -> str:
    """The SVG of the stages and of what each takes from which."""
    graph = edges(YAML(typ="safe", pure=True).load(dvc_yaml)["stages"])
    places = _places(graph)
    right = max(x for x, _ in places.values()) + WIDTH + GAP
    bottom = max(y for _, y in places.values()) + HEIGHT + GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {right} {bottom}" role="img" '
        'aria-label="The stages, and what each takes from which">',
        f"<style>{STYLE}</style>",
        f'<rect width="{right}" height="{bottom}" rx="10" fill="#f6f8fb"/>',
    ]
    for stage, sources in graph.items():
        near = _direct(sources, graph)
        seen = [each for each in sources if each in near or _free(each, stage, places)]
        parts += [_line(places[source], places[stage]) for source in seen]
    parts += [_box(stage, *places[stage]) for stage in graph]
    return "\n".join([*parts, "</svg>"]) + "\n"


def edges(stages: dict[str, Any]) -> dict[str, list[str]]:
    """For each stage those whose outs it depends on, `params` aside: all depend on that."""
    owners: dict[str, str] = {}
    for name, stage in stages.items():
        for kind in ("outs", "metrics"):
            owners |= {_place(stage, out): name for out in stage.get(kind, [])}
    found = {}
    for name, stage in stages.items():
        paths = [_place(stage, dep) for dep in stage.get("deps", [])]
        sources = dict.fromkeys(owners[path] for path in paths if path in owners)
        found[name] = [each for each in sources if each != "params" or len(sources) == 1]
    return found


def _place(stage: dict[str, Any], path: str) -> str:
    """A path of a stage from the repository's root."""
    parts: list[str] = []
    for part in (PurePosixPath(stage.get("wdir", ".")) / path).parts:
        if part == ".." and parts:
            parts.pop()
        elif part != ".":
            parts.append(part)
    return "/".join(parts)


def _places(graph: dict[str, list[str]]) -> dict[str, tuple[int, int]]:
    """Where each box stands: a column behind the last that it needs, the main way in one row."""
    columns: dict[str, int] = {}
    for stage, sources in graph.items():  # dvc.yaml has them in the order of the data
        columns[stage] = 1 + max((columns[each] for each in sources), default=-1)
    aside = {"weights", "twins"}
    rows = {stage: 1 if stage in aside else 0 for stage in graph}
    return {
        stage: (GAP + columns[stage] * (WIDTH + GAP), GAP + rows[stage] * RISE) for stage in graph
    }


def _direct(sources: list[str], graph: dict[str, list[str]]) -> list[str]:
    """Those that no other of them stands behind: the rest is seen by following the lines."""

    def behind(stage: str) -> set[str]:
        return {s for each in graph[stage] for s in (each, *behind(each))}

    return [each for each in sources if not any(each in behind(other) for other in sources)]


def _free(start: str, end: str, places: dict[str, tuple[int, int]]) -> bool:
    """Whether they stand in one row with no box between."""
    (left, row), (right, other) = places[start], places[end]
    return row == other and not any(y == row and left < x < right for x, y in places.values())


def _line(start: tuple[int, int], end: tuple[int, int]) -> str:
    x, y = start[0] + WIDTH, start[1] + HEIGHT // 2
    to, down = end[0], end[1] + HEIGHT // 2
    bend, middle = to - GAP, to - GAP // 2
    curve = f"M{x} {y}H{bend}C{middle} {y} {middle} {down} {to} {down}"
    return f'<path class="line" d="{curve}"/>'


def _box(stage: str, x: int, y: int) -> str:
    words = WORDS.get(stage, ())
    centre = x + WIDTH // 2
    lines = "".join(
        f'<text class="words" x="{centre}" y="{y + 41 + 15 * number}">{escape(text)}</text>'
        for number, text in enumerate(words)
    )
    return (
        f'<rect class="box" x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="8"/>'
        f'<text class="name" x="{centre}" y="{y + 23}">{escape(stage)}</text>{lines}'
    )
