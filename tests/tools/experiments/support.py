"""A repository with a pipeline of one fast stage: real Git, real DVC, no TensorFlow.

Its params.yaml is the project's own; its stage waits and writes figures that
follow from the parameters, in the files where the real one writes them.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import REPOSITORY
from tools.runs.run import Results, Run

STAGE = """
import csv, json, os, pathlib, sys, time
from ruamel.yaml import YAML

values = YAML(typ="safe").load(open("params.yaml"))
root = pathlib.Path(os.environ["DVC_ROOT"])
with open(root / "started.txt", "a") as file:
    print(os.environ["DVC_EXP_NAME"], file=file)
if values["learning_rate"] == 99:
    sys.exit("train: learning_rate: 99 is too high")
print("a note", flush=True)
pathlib.Path("reports").mkdir(exist_ok=True)
pathlib.Path("data/model").mkdir(parents=True)
rows = []
for epoch in range(1, values["epochs"] + 1):
    time.sleep(float(os.environ.get("EPOCH_SECONDS", "0")))
    accuracy = values["dropout"][-1] * epoch / values["epochs"]
    rows.append([epoch, accuracy, accuracy, 1 - accuracy])
    with open("reports/history.partial", "w", newline="") as file:
        csv.writer(file).writerows([["epoch", "accuracy", "val_accuracy", "val_loss"], *rows])
    os.replace("reports/history.partial", "reports/history.csv")
accuracy = (values["seed"] % 10) / 10
pathlib.Path("reports/metrics.json").write_text(json.dumps({"accuracy": accuracy, "loss": 0.5}))
pathlib.Path("reports/confusion.csv").write_text("label,a,b\\na,3,1\\nb,0,4\\n")
pathlib.Path("data/model/model.keras").write_text(json.dumps(values))
pathlib.Path("reports/timings").mkdir(exist_ok=True)
pathlib.Path("reports/timings/train.json").write_text('{"train_seconds": 2.5}')
"""

PIPELINE = f"""
params: [params.yaml]
stages:
  train:
    cmd: {sys.executable} stages/stage.py
    deps: [stages/stage.py]
    params: [{{params.yaml: }}]
    outs:
      - data/model
      - reports/history.csv: {{cache: false}}
      - reports/confusion.csv: {{cache: false}}
    metrics:
      - reports/metrics.json: {{cache: false}}
metrics: [reports/timings/train.json]
"""


def enter_repository(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make such a repository and work in it, without what binds to another or to a store."""
    make_repository(folder)
    for name in [name for name in os.environ if name.startswith(("MLFLOW_", "DVC_", "GIT_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    # No store: these tests are of Git and DVC, and MLflow's import takes seconds.
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.chdir(folder)
    return folder


def make_repository(folder: Path) -> None:
    """Make `folder` such a repository, with everything committed."""
    (folder / "stages").mkdir(parents=True)
    (folder / ".dvc").mkdir()
    (folder / "stages" / "stage.py").write_text(STAGE)
    (folder / "dvc.yaml").write_text(PIPELINE)
    text = (REPOSITORY / "params.yaml").read_text()
    text = text.replace("dropout: null", "dropout: [0.1, 0.8]").replace("epochs: 12", "epochs: 2")
    (folder / "params.yaml").write_text(text)
    (folder / ".dvc" / "config").write_text("[core]\n    analytics = false\n    autostage = true\n")
    (folder / ".dvc" / ".gitignore").write_text("/config.local\n/tmp\n/cache\n")
    (folder / ".gitignore").write_text("/.state/\n/mlflow.db*\n/mlartifacts/\n/started.txt\n")
    (folder / "data").mkdir()
    (folder / "data" / ".gitignore").write_text("/model\n")
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "config", "user.name", "A Tester")
    git(folder, "config", "user.email", "tester@example.org")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "first")


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True
    ).stdout.strip()


def command(name: str, *arguments: str) -> list[str]:
    """The command line of an entry point, such as `sweep` or `bench`."""
    (room,) = [
        room for room in ("tools", "benchmarks") if (REPOSITORY / room / f"{name}.py").exists()
    ]
    return [sys.executable, "-m", f"{room}.{name}", *arguments]


def run(name: str, *arguments: str, seconds: float = 500) -> subprocess.CompletedProcess[str]:
    """Run an entry point in the current folder to its end."""
    return subprocess.run(
        command(name, *arguments), capture_output=True, text=True, timeout=seconds
    )


def started(folder: Path) -> list[str]:
    """The experiments whose stage has started, in order, repeats too."""
    path = folder / "started.txt"
    return path.read_text().splitlines() if path.exists() else []


def experiments(folder: Path) -> dict[str, str]:
    """The experiments that Git holds in the repository: name to commit."""
    lines = git(folder, "for-each-ref", "--format=%(refname) %(objectname)", "refs/exps").split(
        "\n"
    )
    pairs = [line.split() for line in lines if line]
    return {name.rsplit("/", 1)[1]: revision for name, revision in pairs}


def run_of(accuracy: float, loss: float = 0.5, seconds: float | None = None) -> Run:
    """A finished run with these figures and one epoch."""
    metrics = {"test_accuracy": accuracy, "test_loss": loss}
    if seconds is not None:
        metrics["train_seconds"] = seconds
    results = Results(history={"accuracy": [0.9]})
    return Run("id", "name", "DVC", "FINISHED", 0, {}, metrics, results)
