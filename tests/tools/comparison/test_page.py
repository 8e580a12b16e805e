"""The page's data: whole, small, safe to stand in HTML, and without a trace of the machine."""

import json
import math
import re

import numpy as np
import pytest

from pipeline.runtime import paths
from tests.tools.comparison.recording import CLASSES, outcome, write_reports
from tools.comparison import page
from tools.comparison.chance import compare
from tools.runs.reports import read_results
from tools.runs.run import Outcome, Results, Run
from tools.runs.spread import spread


def made(number: int, right: np.ndarray, **parameters: str) -> Run:
    write_reports(right)
    results = read_results(lambda name: (paths.REPORTS / name).open(encoding="utf-8", newline=""))
    return Run(
        f"{number:032x}",
        f"run {number}",
        "MLflow",
        "FINISHED",
        1e9 + number,
        {"epochs": "3", "dataset": "/home/someone/photos.zip", **parameters},
        {"test_accuracy": float(right.mean()), "test_loss": math.nan},
        results,
        data_digest="d",
    )


def embedded(html: str) -> dict:
    (text,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', html, re.S)
    return json.loads(text)


def test_what_the_page_holds_is_what_was_measured(workspace):
    right = outcome(0.7, 1)
    html = page.render([made(1, right, seed="1"), made(2, outcome(0.8, 2), seed="2")])
    data = embedded(html)
    first, second = data["runs"]
    assert data["differing"] == ["seed"]
    assert data["same"] == {"dataset": "photos.zip", "epochs": "3"}
    assert first["setting"] == second["setting"]
    assert first["metrics"] == {
        "test_accuracy": 0.7,
        "test_loss": None,
        "val_accuracy": 0.6,
        "gap": 0.1,
        "epochs_run": 3,
    }
    assert first["history"]["val_accuracy"] == [0.4, 0.5, 0.6]
    assert first["kept"] == 3
    assert (first["images"], first["right"]) == (len(right), right.sum())
    flat = np.zeros(9, int)
    steps, counts = first["confusion"][::2], first["confusion"][1::2]
    flat[np.cumsum(steps)] = counts
    assert flat.sum() == len(right)
    assert flat.reshape(3, 3).trace() == right.sum()


def test_no_name_ends_the_script(workspace):
    run = made(1, outcome(0.7, 1))
    run.name = "</script><script>alert(1)</script>"
    run.failure = "<!--"
    html = page.render([run], notes=["<b>a note"])
    assert "alert(1)</script>" not in html.replace("\\u003c", "")[: html.index('id="data"')]
    assert embedded(html)["runs"][0]["name"] == run.name
    assert embedded(html)["classes"] == [CLASSES]
    assert "&lt;b&gt;a note" in html
    assert html.count("</script>") == 3
    assert "<!--" not in html


def test_nothing_is_fetched_and_nothing_of_the_machine_is_told(workspace):
    html = page.render([made(1, outcome(0.7, 1))])
    assert "default-src 'none'" in html  # for Vega's part, which can load data from an address
    assert "unsafe-eval" not in html
    html = html.replace(page._vega(), "")
    assert re.findall(r"(?:https?:)?//[\w.]+/[^\s\"'<]*", html) == []
    assert not re.findall(r"<(?:link|img|iframe)|\bimport\b *\(|\bfetch\(|XMLHttpRequest", html)
    assert "/home/someone" not in html
    assert str(workspace) not in html


def test_the_same_runs_are_the_same_bytes(workspace):
    assert page.render([made(1, outcome(0.7, 1))]) == page.render([made(1, outcome(0.7, 1))])


def test_runs_that_failed_at_once_share_no_setting():
    runs = [Run(name, name, "MLflow", "FAILED", 1, {}, {}, Results()) for name in "ab"]
    first, second = page.data(runs)["runs"]
    assert first["setting"] != second["setting"]
    assert first["right"] is first["confusion"] is first["classes"] is first["kept"] is None
    assert page.data(runs)["chosen"] == []
    assert page.data(runs)["pairs"]["reasons"] == ["a has no predictions"]


def test_two_hundred_runs_of_ten_thousand_images_stay_small():
    rng = np.random.default_rng(0)
    epochs = {n: rng.random(50).tolist() for n in ("loss", "val_loss", "accuracy", "val_accuracy")}
    runs = []
    for number in range(200):
        results = Results(epochs, [str(i) for i in range(10)], rng.integers(0, 900, (10, 10)))
        results.outcome = Outcome(rng.random(10_000) < 0.8, "same")
        runs.append(Run(str(number), str(number), "MLflow", "FINISHED", 0, {}, {}, results))
    assert len(page.render(runs)) < 2_000_000


def scored(name: str, test: float, validation: float | None = None, **changes) -> Run:
    history = {} if validation is None else {"val_accuracy": [0.1, validation]}
    run = Run(name, name, "MLflow", "FINISHED", 1, {"epochs": name}, {"test_accuracy": test},
              Results(history), data_digest="d")  # fmt: skip
    run.results.outcome = Outcome(outcome(test, 1), "rows")
    for key, value in changes.items():
        setattr(run, key, value)
    return run


def test_the_best_two_by_validation_are_chosen_and_the_test_images_choose_nothing():
    runs = [scored("a", 0.9, 0.5), scored("b", 0.5, 0.8), scored("c", 0.4, 0.7)]
    failed = Run("f", "f", "MLflow", "FAILED", 1, {}, {}, Results({"val_accuracy": [0.99]}))
    found = page.data([*runs, failed])
    assert found["chosen"] == ["b", "c"]
    assert found["best"] == ["b", "c", "a", "f"]


def test_without_validation_the_test_accuracy_chooses():
    assert page.data([scored("a", 0.5), scored("b", 0.9), scored("c", 0.7)])["chosen"] == ["b", "c"]
    assert page.data([scored("a", 0.5)])["chosen"] == ["a"]


def test_the_best_is_shown_beside_the_next_best_of_the_same_test_images():
    runs = [scored("a", 0.9), scored("b", 0.8, data_digest="e"), scored("c", 0.7)]
    assert page.data(runs)["chosen"] == ["a", "c"]
    assert page.data(runs[:2])["chosen"] == ["a", "b"]


def test_pairs_and_seeds_are_as_python_counts_them(workspace):
    runs = [made(i, outcome(share, i), seed=str(i)) for i, share in enumerate((0.6, 0.7, 0.8))]
    found = page.data(runs)
    assert [round(p, 2) for p in found["pairs"]["p"]] == [
        round(compare(runs[j], runs[i]).p, 2) for i, j in ((1, 0), (2, 0), (2, 1))
    ]
    expected = spread([0.6, 0.7, 0.8])
    (setting,) = found["settings"]
    assert setting["accuracy"]["mean"] == pytest.approx(expected.mean)
    assert setting["accuracy"]["deviation"] == pytest.approx(expected.deviation)
    assert setting["accuracy"]["count"] == 3
    assert setting["metrics"]["val_accuracy"] == pytest.approx(0.6)
    assert "test_loss" not in setting["metrics"]  # NaN in all three


def test_no_rounding_carries_p_across_the_threshold():
    assert [page._p(p) for p in (0.03912, 0.0497, 0.04999, 0.0504, 1, 0)] == [
        *(0.039, 0.0497, 0.04999, 0.05, 1, 0)
    ]
