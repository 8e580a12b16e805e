"""What many tests call: parameters changed, a stage run, a small prepared data set."""

import contextlib
import hashlib
import importlib
import io
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from pipeline.runtime import files, paths
from pipeline.runtime import stage as stage_runner
from tests import forking

REPOSITORY = Path(__file__).resolve().parents[1]


def set_parameters(**changes: Any) -> None:
    """Change keys of params.yaml in the current folder."""
    path = Path("params.yaml")
    yaml = YAML()
    values = yaml.load(path)
    values.update(changes)
    with path.open("w", encoding="utf-8") as file:
        yaml.dump(values, file)


def run_stage(name: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run one stage as DVC would, in the current folder, in a process of its own."""
    everything = {**os.environ, **environment}
    # The one starts processes itself; of the other Keras would be imported for another backend.
    if name == "prepare" or _asks_for_a_backend(name):
        return subprocess.run(
            [sys.executable, "-m", f"stages.{name}"],
            capture_output=True,
            text=True,
            env=everything,
            timeout=500,
        )
    return forking.run(f"stages.{name}", environment=everything)


def _asks_for_a_backend(stage: str) -> bool:
    resolved = paths.PARAMS / f"{stage}.json"
    return resolved.exists() and bool(files.read_json(resolved).get("backend"))


@dataclass(frozen=True)
class Outcome:
    """How a stage ended: exit status and what it printed, in lines."""

    status: int
    out: list[str]
    error: list[str]


def run_here(name: str) -> Outcome:
    """Run a stage by its entry point in this process, in the current folder."""
    module = importlib.import_module(f"stages.{name}")
    out, error = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [f"stages.{name}"])
        patch.setattr(stage_runner.signal, "signal", lambda *_: None)
        patch.setattr(stage_runner.atexit, "register", lambda *_: None)
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
            try:
                stage_runner.run_stage(name, module.main, module.__doc__)
            except SystemExit as ended:
                status = int(ended.code or 0)
    lines = error.getvalue().replace("\r", "\n").splitlines()
    lines = [line for line in lines if line and "/s]" not in line]  # without progress bars
    return Outcome(status, out.getvalue().splitlines(), lines)


def snapshot(*folders: Path) -> dict[str, str]:
    """The digest of every file below the folders, locks and timings aside."""
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
        for folder in folders
        for path in sorted(folder.rglob("*"))
        if not {"locks", "timings"} & set(path.parts) and path.parts[-1] != "resume"
    }


def refusal(stage: str) -> str:
    """The one line with which a stage refuses what it is given: exit status 1, nothing on
    standard output, and the tree as it was."""
    before = snapshot(Path())
    ended = run_here(stage)
    assert (ended.status, ended.out) == (1, [])
    assert len(ended.error) == 1
    assert snapshot(Path()) == before
    return ended.error[0].removeprefix(f"{stage}: ")


def recorded_syncs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A list that gets 'N bytes' whenever a file of N bytes is brought to the disk."""
    done: list[str] = []
    sync = os.fsync

    def recorded(file: int) -> None:
        done.append(f"{os.fstat(file).st_size} bytes")
        sync(file)

    monkeypatch.setattr(os, "fsync", recorded)
    return done


def recorded_runs(root: Path) -> pd.DataFrame:
    """The MLflow runs of the store in `root`, the newest first."""
    import mlflow

    before = os.environ.get("MLFLOW_TRACKING_URI")
    mlflow.set_tracking_uri(f"sqlite:///{root}/mlflow.db")
    try:
        return mlflow.search_runs(search_all_experiments=True)
    finally:  # MLflow keeps it for the process, and in the environment for its children
        mlflow.set_tracking_uri(before)


def write_prepared(
    classes: int = 3,
    size: int = 8,
    channels: int = 1,
    counts: tuple[int, int, int] = (60, 30, 30),
    seed: int = 0,
) -> dict[str, Any]:
    """Write data/prepared with learnable pictures: a bright bar whose row tells the class."""
    generator = np.random.default_rng(seed)
    rows = []
    per_part = {}
    for part, count in zip(paths.PARTS, counts, strict=True):
        labels = np.arange(count) % classes
        images = generator.integers(0, 60, (count, size, size, channels), dtype="uint8")
        for image, label in zip(images, labels, strict=True):
            image[label * size // classes] += 150
        paths.PREPARED.mkdir(parents=True, exist_ok=True)
        np.save(paths.PREPARED / f"{part}_images.npy", images)
        np.save(paths.PREPARED / f"{part}_labels.npy", np.eye(classes, dtype="float32")[labels])
        rows += [(part, i, "", f"class {label}") for i, label in enumerate(labels)]
        per_part[part] = np.bincount(labels, minlength=classes).tolist()
    files.write_csv(paths.PREPARED / "split.csv", ("part", "index", "name", "label"), rows)
    dataset = {
        "name": "bars",
        "title": "Bars",
        "classes": [f"class {label}" for label in range(classes)],
        "image_shape": [size, size, channels],
        "mirrored": True,
        "source": "made by the tests",
        "licence": "MIT",
        "raw_digest": "sha256:0",
        "digest": f"sha256:{classes}-{size}-{channels}-{counts}-{seed}",
        "counts": per_part,
        "normalization": {
            "method": "minmax",
            "mean": [0.0] * channels,
            "variance": [1.0] * channels,
        },
        "skipped": [],
    }
    files.write_json(paths.PREPARED / "dataset.json", dataset)
    files.write_json(paths.FEATURES / "features.json", {"model": None})
    return dataset
