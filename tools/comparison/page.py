"""The runs as one HTML file with its data, style and JavaScript inside; it needs no network."""

import base64
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from tools.comparison.chance import SIGNIFICANT
from tools.comparison.together import differing, shown
from tools.runs.run import Run, setting

FOLDER = Path(__file__).parent / "page"
# In this order: each uses those before it.
SCRIPTS = ("statistics", "runs", "table", "curves", "confusion", "pair", "main")


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
        data=Markup(_embedded(data(runs))),  # nosec B704: no < is left in it
        script=Markup("\n".join(scripts)),  # nosec B704: our own files
    )


def data(runs: Sequence[Run]) -> dict[str, Any]:
    """What the page's JavaScript reads (page/runs.js says what each field means)."""
    unlike, same = differing(runs)
    class_lists: list[list[str]] = []
    settings: dict[str, int] = {}
    for run in runs:
        if run.results.classes and run.results.classes not in class_lists:
            class_lists.append(run.results.classes)
        settings.setdefault(setting(run) if run.parameters else run.id, len(settings))
    return {
        "significant": SIGNIFICANT,
        "differing": unlike,
        "same": same,
        "classes": class_lists,
        "runs": [_run(run, class_lists, settings) for run in runs],
    }


def _run(run: Run, class_lists: list[list[str]], settings: dict[str, int]) -> dict[str, Any]:
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
        "setting": settings[setting(run) if run.parameters else run.id],
        "data": run.data_digest,
        "test": run.test_digest,
        "parameters": {name: shown(value) for name, value in run.parameters.items()},
        "metrics": {
            name: _short(value)
            for name, value in {
                **run.metrics,
                "val_accuracy": run.validation_accuracy,
                "gap": run.gap,
            }.items()
        },
        "history": history,
        "kept": None if epoch is None else epoch + 1,
        "classes": class_lists.index(results.classes) if results.classes else None,
        "confusion": None if results.confusion is None else _sparse(results.confusion),
        "outcome": None
        if results.outcome is None
        else {
            "count": len(results.outcome.right),
            "images": results.outcome.images,
            "right": bits(results.outcome.right),
        },
    }


def bits(right: np.ndarray) -> str:
    """bool (n,) in base64, eight to a byte, the first in the highest bit."""
    return base64.b64encode(np.packbits(right).tobytes()).decode("ascii")


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
