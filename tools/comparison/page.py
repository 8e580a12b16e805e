"""The runs as one HTML file with its data, style and JavaScript inside; it needs no network."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import vl_convert
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from tools.comparison.chance import SIGNIFICANT, compare_all, incomparable
from tools.comparison.together import differing, shown
from tools.runs.run import Run, folds_of, setting
from tools.runs.spread import spread
from tools.runs.together import same_setting

FOLDER = Path(__file__).parent / "page"
# In this order: each uses those before it.
SCRIPTS = ("runs", "table", "curves", "confusion", "pair", "main")


def render(runs: Sequence[Run], notes: Sequence[str] = ()) -> str:
    """The page.

    Args:
        runs: in the order in which they are listed first.
        notes: what the reader should know about them, a sentence each.
    """
    environment = Environment(
        loader=FileSystemLoader(FOLDER, encoding="utf-8"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    scripts = [(FOLDER / f"{name}.js").read_text(encoding="utf-8") for name in SCRIPTS]
    return environment.get_template("experiments.html.j2").render(
        count=len(runs),
        notes=notes,
        vega=Markup(_vega()),  # nosec B704: the package's, and a test finds no end of a script in it
        data=Markup(_embedded(data(runs))),  # nosec B704: no < is left in it
        script=Markup("\n".join(scripts)),  # nosec B704: our own files
    )


def _vega() -> str:
    """Vega and Vega-Lite as one script, 0.9 MB, from the package vl-convert-python."""
    # Without a snippet of ours the package makes it once a process. Its stub wants one.
    return vl_convert.javascript_bundle(None)  # type: ignore[arg-type]


def data(runs: Sequence[Run]) -> dict[str, Any]:
    """What the page's JavaScript reads (page/runs.js says what each field means)."""
    unlike, same = differing(runs)
    class_lists: list[list[str]] = []
    settings: dict[str, list[Run]] = {}
    for run in runs:
        if run.results.classes and run.results.classes not in class_lists:
            class_lists.append(run.results.classes)
        settings.setdefault(_setting_of(run), []).append(run)
    places = {key: place for place, key in enumerate(settings)}
    pairs = compare_all(runs)
    best = sorted(runs, key=_rank)
    return {
        "significant": SIGNIFICANT,
        "differing": unlike,
        "same": same,
        "classes": class_lists,
        "settings": [_setting(members) for members in settings.values()],
        "pairs": {
            "both": pairs.both,
            "p": [_p(p) if both >= 0 else 0 for p, both in zip(pairs.p, pairs.both, strict=True)],
            "reasons": pairs.reasons,
        },
        "best": [run.id for run in best],
        "chosen": [run.id for run in _best_two(best)],
        "runs": [_run(run, class_lists, places[_setting_of(run)]) for run in runs],
    }


def _run(run: Run, class_lists: list[list[str]], place: int) -> dict[str, Any]:
    results = run.results
    epoch = run.kept_epoch
    history = {
        name: [_short(value) for value in values]
        for name, values in results.history.items()
        if name != "phase_number"
    }
    return {
        "id": run.id,
        "name": run.name,
        "experiments": run.experiments,
        "source": run.source,
        "status": run.status,
        "failure": run.failure,
        "problems": results.problems,
        "started": run.started,
        "commit": run.commit,
        "setting": place,
        "parameters": {name: shown(value) for name, value in run.parameters.items()},
        "metrics": _metrics(run),
        "history": history,
        "kept": None if epoch is None else epoch + 1,
        "classes": class_lists.index(results.classes) if results.classes else None,
        "confusion": None if results.confusion is None else _sparse(results.confusion),
        "images": None if results.outcome is None else len(results.outcome.right),
        "right": None if results.outcome is None else int(results.outcome.right.sum()),
    }


def _metrics(run: Run) -> dict[str, float | None]:
    """The figures of the whole run, those of its record and those read off its history."""
    found = {**run.metrics, "val_accuracy": run.validation_accuracy, "gap": run.gap}
    epochs = len(next(iter(run.results.history.values()), []))
    return {name: _short(value) for name, value in found.items()} | {"epochs_run": epochs or None}


def _setting_of(run: Run) -> str:
    """What the runs of a setting share; a run without parameters is its own."""
    return setting(run) if run.parameters else run.id


def _setting(members: Sequence[Run]) -> dict[str, Any]:
    """Means over a setting's seeds and folds, a run each, and how the test accuracy spreads."""
    scored = same_setting(members[0], members)
    columns: dict[str, list[float]] = {}
    for run in scored or members:
        for name, value in _metrics(run).items():
            if value is not None:
                columns.setdefault(name, []).append(value)
    folds = folds_of(members[0])
    found = spread([run.metrics["test_accuracy"] for run in scored], folds) if scored else None
    return {
        "metrics": {name: _short(fmean(values)) for name, values in columns.items()},
        "accuracy": found
        and {
            **{name: _short(getattr(found, name)) for name in ("mean", "deviation", "count")},
            "interval": [_short(end) for end in found.interval or ()],
            "repeats": _repeats(scored),
        },
    }


def _repeats(runs: Sequence[Run]) -> str:
    """What the runs of a setting repeat, in words: 3 seeds, 5 folds, 2 seeds × 5 folds."""
    counts = {
        key: len({run.parameters.get(key, "") for run in runs})
        for key in ("seed", "fold")
        if key == "seed" or folds_of(runs[0])
    }
    words = [f"{n} {key}s" for key, n in counts.items() if n > 1] or ["one seed"]
    return " × ".join(words)


def _rank(run: Run) -> tuple[bool, bool, float]:
    """Sorts runs best first: by validation accuracy, else by test; last those without a score."""
    validation, test = run.validation_accuracy, run.metrics.get("test_accuracy")
    value = validation if validation is not None else test
    return test is None, validation is None, -(_short(value) or 0)


def _best_two(best: Sequence[Run]) -> list[Run]:
    """The best run and the next best, if there is one, that can be tested against it."""
    scored = [run for run in best if "test_accuracy" in run.metrics]
    others = [run for run in scored[1:] if not incomparable(scored[0], run)]
    return [*scored[:1], *(others or scored[1:])[:1]]


def _p(value: float) -> float:
    """Two digits of a p value, all of one that they would carry across the threshold."""
    rounded = float(f"{value:.2g}")
    return rounded if (rounded < SIGNIFICANT) == (value < SIGNIFICANT) else value


def _sparse(table: np.ndarray) -> list[int]:
    """The cells above 0: how many cells after the one before, and the count, in turn."""
    flat = table.ravel()
    cells = np.flatnonzero(flat)
    steps = np.diff(cells, prepend=0)
    return np.stack([steps, flat[cells]], axis=1).ravel().tolist()


def _short(value: float | None) -> float | None:
    """Six digits of a number, which is more than is shown; None of none, or of NaN."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.6g}")


def _embedded(value: Any) -> str:
    """JSON that may stand in a script element: no class name can end it."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
