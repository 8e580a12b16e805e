"""docs/add-*.md, followed to the letter in a copy of the project: all of them, and one run."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from tests.following import follow
from tests.repository import Repository
from tests.support import REPOSITORY

DOCS = REPOSITORY / "docs"
PAGES = (
    "add-a-network",
    "add-a-base",
    "add-a-data-set",
    "add-a-metric",
    "add-a-figure",
    "add-an-optimizer",
)


def test_every_page_is_followed() -> None:
    assert {path.stem for path in DOCS.glob("add-*.md")} == set(PAGES)


def test_what_the_pages_add_is_there(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "repository")
    for page in PAGES:
        assert follow(DOCS / f"{page}.md", repository.folder)
    changes = ("model=my_cnn", "dataset=bars", "optimizer=lion", "learning_rate=1e-3", "epochs=6")
    ended = repository.dvc("exp", "run", *(f"-S{change}" for change in changes))
    assert "bars" in ended
    metrics = json.loads((repository.folder / "reports/metrics.json").read_text())
    history = pd.read_csv(repository.folder / "reports/history.csv")
    page = (repository.folder / "reports/report.html").read_text()
    # The network, of images of one channel and two classes.
    assert metrics["parameters"]["total"] == 320 + 9_248 + 33
    assert "my_cnn on Bars, upright and level" in page
    assert "9,248" in page
    assert history["loss"].iloc[-1] < history["loss"].iloc[0]
    assert metrics["images"] == 60
    # The optimizer.
    assert re.search(r"<code>optimizer</code></td><td>lion<", page)
    # The metric, of the predictions that are written.
    predictions = pd.read_csv(repository.folder / "reports/predictions.csv")
    of_true = predictions["p_upright"].where(
        predictions["label"] == "upright", predictions["p_level"]
    )
    assert metrics["brier"] == pytest.approx(2 * ((1 - of_true) ** 2).mean(), abs=1e-4)
    assert f"<b>{metrics['brier']:.3f}</b>" in page
    assert repository.runs()["metrics.test_brier"].iloc[0] == pytest.approx(metrics["brier"])
    # The figure.
    assert (repository.folder / "reports/figures/confidence.png").stat().st_size > 5_000
    assert page.count("How sure the right and the wrong answers were") == 1


def test_a_page_that_does_not_fit_the_code_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "pipeline").mkdir()
    (tmp_path / "pipeline/a.py").write_text("one\ntwo\n")
    page = tmp_path / "add.md"
    page.write_text(
        "# Add\n\n1. In `pipeline/a.py`:\n\n   ```diff\n    one\n   +new\n    two\n   ```\n"
    )
    follow(page, tmp_path)
    assert (tmp_path / "pipeline/a.py").read_text() == "one\nnew\ntwo\n"
    with pytest.raises(AssertionError, match="stands 0 times"):
        follow(page, tmp_path)


@pytest.mark.slow
def test_a_base_of_keras_applications_is_one_entry(tmp_path: Path) -> None:
    """From random weights, for there are no others here, on grey images of eight pixels."""
    repository = Repository(tmp_path / "repository")
    follow(DOCS / "add-a-base.md", repository.folder)
    changes = {"model": "nasnet_mobile", "pretrained_weights": "none", "dataset": "digits"}
    changes |= {"image_size": "32", "epochs": "1", "batch_size": "256"}
    sets = [word for key, value in changes.items() for word in ("-S", f"{key}={value}")]
    out = repository.dvc("exp", "run", *sets)
    metrics = json.loads((repository.folder / "reports/metrics.json").read_text())
    base, head = 4_269_716, 1_056 * 10 + 10
    assert metrics["parameters"]["total"] == base + head
    assert str(out).count("grey images get three equal channels") == 1
