"""The page's data: whole, small, safe to stand in HTML, and without a trace of the machine."""

import base64
import json
import math
import re

import numpy as np

from pipeline.runtime import paths
from tests.tools.comparison.recording import CLASSES, outcome, write_reports
from tools.comparison import page
from tools.runs.reports import read_results
from tools.runs.run import Results, Run


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
    }
    assert first["history"]["val_accuracy"] == [0.4, 0.5, 0.6]
    assert first["kept"] == 3
    packed = np.frombuffer(base64.b64decode(first["outcome"]["right"]), "uint8")
    np.testing.assert_array_equal(np.unpackbits(packed, count=len(right)).astype(bool), right)
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
    assert html.count("</script>") == 2
    assert "<!--" not in html


def test_nothing_is_fetched_and_nothing_of_the_machine_is_told(workspace):
    html = page.render([made(1, outcome(0.7, 1))])
    assert (
        re.findall(
            r"(?:https?:)?//[\w.]+/[^\s\"'<]*", html.replace("http://www.w3.org/2000/svg", "")
        )
        == []
    )
    assert not re.findall(r"<(?:link|img|iframe)|\bimport\b *\(|\bfetch\(|XMLHttpRequest", html)
    assert "default-src 'none'" in html
    assert "/home/someone" not in html
    assert str(workspace) not in html


def test_the_same_runs_are_the_same_bytes(workspace):
    assert page.render([made(1, outcome(0.7, 1))]) == page.render([made(1, outcome(0.7, 1))])


def test_runs_that_failed_at_once_share_no_setting():
    runs = [Run(name, name, "MLflow", "FAILED", 1, {}, {}, Results()) for name in "ab"]
    first, second = page.data(runs)["runs"]
    assert first["setting"] != second["setting"]
    assert first["outcome"] is first["confusion"] is first["classes"] is first["kept"] is None


def test_two_hundred_runs_of_ten_thousand_images_stay_small():
    rng = np.random.default_rng(0)
    epochs = {n: rng.random(50).tolist() for n in ("loss", "val_loss", "accuracy", "val_accuracy")}
    runs = []
    for number in range(200):
        results = Results(epochs, [str(i) for i in range(10)], rng.integers(0, 900, (10, 10)))
        results.outcome = page_outcome(rng)
        runs.append(Run(str(number), str(number), "MLflow", "FINISHED", 0, {}, {}, results))
    assert len(page.render(runs)) < 2_000_000


def page_outcome(rng: np.random.Generator):
    from tools.runs.run import Outcome

    return Outcome(rng.random(10_000) < 0.8, "same")
