"""`benchmarks.published` as a process: what is run, what is written, what is not run again."""

import csv
import re
import shutil
from pathlib import Path

import pytest

from pipeline.parameters.stages import STAGES
from tests.support import REPOSITORY
from tests.tools.experiments.support import enter_repository, git, run, started

ROWS = """
experiments:
  - name: first
    data: digits
    overrides: {dataset: digits, dropout: [0.2, 0.2]}
    seeds: 2
    expected: {source: notes, accuracy: 0.7424, seconds: 1084.9, diagonal: [7, 8]}
    tuning_log: true
  - name: broken
    data: digits
    overrides: {dataset: digits, learning_rate: 99}
  - name: far
    data: elsewhere
    overrides: {dataset: digits}
    open: it cannot be had here
"""


WITH_PARAMS = """
import subprocess
subprocess.run([sys.executable, "-m", "stages.params"], check=True)
"""


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = enter_repository(tmp_path / "repository", monkeypatch)
    # The digests of the code, which the real stage writes.
    stage, pipeline = folder / "stages/stage.py", folder / "dvc.yaml"
    stage.write_text(f"{stage.read_text()}{WITH_PARAMS}")
    files = "".join(f"      - {each.path()}\n" for each in STAGES)
    pipeline.write_text(pipeline.read_text().replace("outs:\n", f"outs:\n{files}"))
    git(folder, "commit", "--quiet", "--all", "-m", "a stage that writes the digests")
    (folder / "rows.yaml").write_text(ROWS)
    return folder


def table(repository: Path) -> dict[str, dict[str, str]]:
    with (repository / "reports/published.csv").open(newline="") as file:
        return {line["name"]: line for line in csv.DictReader(file)}


def test_rows_are_run_written_and_not_run_again(repository):
    result = run("published", "--file", "rows.yaml")
    assert result.returncode == 1, result.stdout + result.stderr
    lines = table(repository)
    assert list(lines) == ["first", "broken", "far"]
    first = lines["first"]
    assert (first["accuracy"], first["spread"], first["seeds"]) == ("0.2500", "0.0707", "42 43")
    assert (first["published"], first["seconds"]) == ("0.7424, 1,084.9 s", "2.5")
    assert first["commit"] == git(repository, "rev-parse", "HEAD")[:10]
    assert re.fullmatch("[0-9a-f]{16}", first["code"])
    assert first["note"] == "the confusion matrix's diagonal: published 7, 8; here 3, 4"
    assert first["train_accuracy"] == "0.2000"
    assert lines["broken"]["note"] == "open: train: learning_rate: 99 is too high"
    assert lines["far"]["note"] == "open: it cannot be had here"
    assert (repository / "reports/published.png").read_bytes().startswith(b"\x89PNG")
    assert "![" in (repository / "reports/published.md").read_text()
    assert "published-far" not in started(repository)

    rows = repository / "rows.yaml"
    rows.write_text(ROWS.replace("learning_rate: 99", "learning_rate: 0.5"))
    done = len(started(repository))
    result = run("published", "--file", "rows.yaml")
    assert result.returncode == 0, result.stdout + result.stderr
    assert started(repository)[done:] == ["published-broken"]
    assert f"first: stands, of commit {first['commit']}" in result.stdout
    assert table(repository)["first"] == first
    assert table(repository)["broken"]["accuracy"] == "0.2000"

    # A row is a fact of the code that it was run with; where that is another today, it is said.
    path = repository / "reports/published.csv"
    path.write_text(path.read_text().replace(first["code"], "0" * 16))
    result = run("published", "--file", "rows.yaml")
    assert (
        f"first: stands, of commit {first['commit']}; the code has changed since, --again runs "
        "it anew\n" in result.stdout
    )
    assert table(repository)["first"] == {**first, "code": "0" * 16}


def test_a_row_that_is_not_there_and_an_archive_that_is_not_there(repository):
    result = run("published", "--file", "rows.yaml", "--only", "frist")
    assert result.stderr == "published: --only: frist: no such row; did you mean first?\n"
    result = run("published", "--file", "rows.yaml", "--data", "digits=/nowhere.zip")
    assert result.stderr == (
        "published: --data: digits=/nowhere.zip: expected NAME=PATH of a folder or archive\n"
    )
    assert not started(repository)


@pytest.mark.slow
def test_the_quick_form_runs_every_row_through_the_real_pipeline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    folder = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", str(REPOSITORY), str(folder))
    for name in ("MLFLOW_TRACKING_URI", "DVC_ROOT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(folder)
    result = run("published", "--quick", seconds=3600)
    assert result.returncode == 0, result.stdout + result.stderr
    with (folder / ".state/published-quick/published.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 13
    assert all(0 < float(line["accuracy"]) <= 1 for line in lines)
    assert all(float(line["seconds"]) > 0 for line in lines)
    assert not (folder / "reports/published.csv").exists() or not git(
        folder, "status", "--porcelain", "reports/published.csv"
    )
    shutil.rmtree(folder)
