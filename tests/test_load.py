"""download and prepare under load: memory stays bounded, the cost of an image does not grow.

    python -m tests.test_load 2000 20000 200000

prints the figures of docs/bytes-and-crashes.md.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from pipeline.parameters.stages import DownloadParameters, PrepareParameters
from pipeline.runtime import files
from pipeline.runtime.arrays import load_array
from pipeline.runtime.paths import PARTS, PREPARED
from tests.pipeline.datasets.pictures import encoded
from tests.support import REPOSITORY

MIB = 1 << 20
LIMIT = 1024 * MIB


@dataclass(frozen=True)
class Cost:
    """Of one stage: seconds, and the largest sum of the resident memory of all its processes
    in bytes (what they share is counted for each)."""

    seconds: float
    memory: int


def generate(folder: Path, count: int, classes: int = 10, side: int = 32) -> Path:
    """A folder of small JPEGs that differ: the same 500 pictures, each with its own comment."""
    generator = np.random.default_rng(0)
    noise = generator.integers(0, 256, (500, 8, 8, 3), dtype="uint8")
    few = [encoded(Image.fromarray(picture).resize((side, side)), "JPEG") for picture in noise]
    for label in range(classes):
        (folder / f"class {label}").mkdir(parents=True)
    for number in range(count):
        comment = f"{number:08}".encode()
        data = few[number % len(few)]
        marked = data[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + data[2:]
        (folder / f"class {number % classes}" / f"{number:07}.jpg").write_bytes(marked)
    return folder


def run(stage: str) -> Cost:
    """Run a stage in the current folder and watch its memory."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", f"stages.{stage}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    peak = 0
    watched = psutil.Process(process.pid)
    while process.poll() is None:
        peak = max(peak, _resident(watched))
        time.sleep(0.05)
    seconds = time.perf_counter() - start
    _, error = process.communicate()
    assert process.returncode == 0, error
    return Cost(seconds, peak)


def _resident(process: psutil.Process) -> int:
    total = 0
    try:
        for one in [process, *process.children(recursive=True)]:
            total += one.memory_info().rss
    except psutil.NoSuchProcess:
        pass
    return total


def measure(workspace: Path, count: int) -> dict[str, Cost]:
    """Bring and prepare `count` images in `workspace`, the current folder."""
    photos = generate(workspace / f"photos {count}", count)
    files.write_json(DownloadParameters.path(), {"dataset": str(photos.absolute())})
    parameters = {
        "image_size": 32,
        "channels": 3,
        "resize": "stretch",
        "validation_fraction": 0.3,
        "test_fraction": 0.2,
        "split_seed": 42,
        "normalization": "standard",
        "unreadable": "error",
    }
    files.write_json(PrepareParameters.path(), parameters)
    costs = {stage: run(stage) for stage in ("download", "prepare")}
    lengths = [len(load_array(PREPARED / f"{part}_images.npy")) for part in PARTS]
    assert sum(lengths) == count
    return costs


def check(costs: dict[int, dict[str, Cost]]) -> None:
    """Under 1 GiB, and no more time for an image of many than for one of a tenth as many."""
    for count, stages in costs.items():
        for stage, cost in stages.items():
            assert cost.memory < LIMIT, f"{stage} of {count:,}: {cost.memory / MIB:.0f} MiB"
    for few, many in zip(sorted(costs), sorted(costs)[1:], strict=False):
        for stage in costs[few]:
            each = costs[few][stage].seconds / few, costs[many][stage].seconds / many
            assert each[1] < 1.5 * each[0], f"{stage}: {each[0]:.6f} to {each[1]:.6f} s an image"


def test_memory_of_2000_images(workspace: Path) -> None:
    check({2_000: measure(workspace, 2_000)})


@pytest.mark.slow
def test_200_000_images(workspace: Path) -> None:
    check({count: measure(workspace, count) for count in (2_000, 20_000, 200_000)})


def main(counts: Sequence[int]) -> None:
    costs = {}
    for count in counts:
        with tempfile.TemporaryDirectory() as folder:
            os.environ["DVC_ROOT"] = folder
            os.chdir(folder)
            costs[count] = measure(Path(folder), count)
            os.chdir(REPOSITORY)
        for stage, cost in costs[count].items():
            each = 1e6 * cost.seconds / count
            memory = cost.memory / MIB
            print(
                f"{stage:9} {count:8,} images {cost.seconds:8.1f} s {each:8.0f} µs each "
                f"{memory:6.0f} MiB",
                flush=True,
            )
    check(costs)


if __name__ == "__main__":
    main([int(count) for count in sys.argv[1:]])
