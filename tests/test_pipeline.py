"""The whole pipeline through DVC, in a repository of its own, on a tiny budget.

One module-wide repository runs digits with tiny_cnn; the tests look at it in
order, as a user would: first run, nothing to do, a change, a mistake, an
experiment in a temporary folder, a kill.
"""

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from PIL import Image

from tests.repository import Repository


def ran(output: str) -> list[str]:
    """The stages that a DVC command ran, in order."""
    return re.findall(r"Running stage '(\w+)'", output)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory, shared_folder: Path) -> Repository:
    folder = tmp_path_factory.mktemp("pipeline") / "repository"
    return Repository.finished(shared_folder, folder)


def test_the_first_run_runs_all_and_the_second_nothing(repository, shared_folder):
    out = (shared_folder / "finished.txt").read_text(encoding="utf-8")
    stages = [
        "params",
        "download",
        "weights",
        "prepare",
        "features",
        "twins",
        "train",
        "evaluate",
        "report",
    ]
    assert sorted(ran(out)) == sorted(stages)
    out = repository.dvc("repro")
    assert "Data and pipelines are up to date." in out
    assert ran(out) == []
    assert repository.git("status", "--short") == ""


def test_the_report_and_the_record_are_there(repository):
    report = (repository.folder / "reports/report.html").read_text(encoding="utf-8")
    assert report.count("data:image/png;base64,") > 5
    assert not re.search(r"<(script|link|img)[^>]+(src|href)=.https?:", report)
    runs = repository.runs()
    assert runs.status.tolist() == ["FINISHED"]
    accuracy = json.loads((repository.folder / "reports/metrics.json").read_text())["accuracy"]
    assert runs["metrics.test_accuracy"].iloc[0] == pytest.approx(accuracy)
    assert runs["tags.git_commit"].iloc[0]
    artifacts = Path(runs.artifact_uri.iloc[0].removeprefix("file://"))
    assert (artifacts / "report.html").exists()


def test_a_mistyped_key_is_an_error_when_nothing_else_would_run(repository):
    path = repository.folder / "params.yaml"
    good = path.read_text()
    path.write_text(good.replace("dropout:", "dropuot:"))
    result = repository.run("dvc", "repro")
    path.write_text(good)
    assert result.returncode != 0
    assert "params: params.yaml: dropuot: unknown parameter; did you mean dropout?" in (
        result.stdout + result.stderr
    )
    assert ran(repository.dvc("repro")) == []


def test_a_change_of_the_report_alone_trains_nothing_and_adds_to_its_run(repository):
    out = repository.dvc("exp", "run", "-S", "explain_image=3")
    assert ran(out) == ["params", "evaluate", "report"]
    assert len(repository.runs()) == 1


def test_an_experiment_in_a_temporary_folder_is_recorded_here(repository):
    repository.git("checkout", "-q", ".")
    repository.dvc("repro")
    out = repository.dvc("exp", "run", "--temp", "-n", "more-epochs", "-S", "epochs=3")
    assert ran(out) == ["params", "train", "evaluate", "report"]
    run = repository.runs().query("`tags.dvc_experiment` == 'more-epochs'")
    assert run.status.tolist() == ["FINISHED"]
    table = json.loads(repository.dvc("exp", "show", "--json"))
    assert "more-epochs" in json.dumps(table)
    assert "train_seconds" in json.dumps(table)
    assert "accuracy" in repository.dvc("metrics", "diff", "HEAD", "more-epochs")
    assert "epochs" in repository.dvc("params", "diff", "HEAD", "more-epochs")


def test_an_experiment_from_the_run_cache_makes_no_second_run(repository):
    before = len(repository.runs())
    out = repository.dvc("exp", "run", "--temp", "-n", "once-more", "-S", "epochs=3")
    assert "train" not in ran(out)
    assert len(repository.runs()) == before


def test_plots_need_no_network(repository):
    assert repository.run(sys.executable, "-m", "tools.dvc_plots").returncode == 0
    repository.dvc("plots", "show", "--out", "plots")
    page = (repository.folder / "plots/index.html").read_text(encoding="utf-8")
    assert page.count("vegaEmbed(") == 4  # two curves, two confusion matrices
    assert "window.vegaEmbed" in page
    assert not re.search(r"<script[^>]+src=", page)
    shutil.rmtree(repository.folder / "plots")


def test_a_killed_dvc_needs_no_repair(repository, tmp_path):
    """The stage lives on alone; the next repro waits for it and computes nothing twice."""
    repository.git("checkout", "-q", ".")
    repository.set(epochs=60)
    repository.dvc("repro", "params", "download", "prepare", "weights", "features")
    history = repository.folder / "reports/history.csv"
    history.unlink(missing_ok=True)  # of the test before
    log = tmp_path / "following.log"
    killed = start_repro(repository, tmp_path / "killed.log")
    until(lambda: history.exists() and len(history.read_text().splitlines()) >= 4)
    holders = (repository.folder / ".state/locks").glob("workspace-*-train.pid")
    newest = max(holders, key=lambda path: path.stat().st_mtime)
    stage = psutil.Process(int(newest.read_text()))
    stage.suspend()  # so that the next dvc finds it training, however busy the machine is
    killed.kill()
    killed.wait()
    following = start_repro(repository, log)
    until(lambda: "is still training" in log.read_text())
    stage.resume()
    assert following.wait(500) == 0, log.read_text()
    assert "Epoch 1/60" not in log.read_text()
    assert ran(repository.dvc("repro")) == []
    assert repository.runs().iloc[0].status == "FINISHED"


def start_repro(repository: Repository, log: Path) -> subprocess.Popen[bytes]:
    with log.open("w") as file:
        return subprocess.Popen(
            ["dvc", "repro"], cwd=repository.folder, env=repository.environment(),
            stdout=file, stderr=file,
        )  # fmt: skip


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 500
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_ones_own_images_and_a_change_of_one(repository, tmp_path):
    """A folder is a dependency: a changed file is noticed, a touched one is not."""
    photos = tmp_path / "photos"
    for name, shade in (("dark", 40), ("light", 200)):
        for number in range(20):
            (photos / name).mkdir(parents=True, exist_ok=True)
            picture = Image.new("RGB", (20, 16), (shade + number, shade, shade))
            picture.save(photos / name / f"{number}.png")
    repository.git("checkout", "-q", ".")
    repository.set(dataset=str(photos), image_size=[8, 12], resize="crop")
    repository.dvc("repro")
    metrics = json.loads((repository.folder / "reports/metrics.json").read_text())
    assert metrics["images"] == 8
    (photos / "dark/0.png").touch()
    assert ran(repository.dvc("repro")) == []
    Image.new("RGB", (20, 16), (90, 90, 90)).save(photos / "dark/0.png")
    assert "download" in ran(repository.dvc("repro"))
