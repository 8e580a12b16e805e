"""Measure what it costs to divide a batch over two replicas, beside one, on this machine.

    python -m benchmarks.replicas     prints two tables: a step, and an exchange alone

A step is that of the third epoch of the stage train on random pixels, in rounds of all
ways in turn. An exchange sums as many float32 as the network has weights, in one process
of two devices and in two processes, in the order of ranks (ours) and as XLA would.
"""

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from ruamel.yaml import YAML

from benchmarks import machine
from pipeline import distribution
from pipeline.runtime import files, paths
from pipeline.runtime.stage import program_parser, run_program
from pipeline.training.share import Share

ROOT = Path(__file__).resolve().parents[1]
# Name, weights that are trained, images' shape, images an epoch, batch.
NETWORKS = (
    ("two_block_cnn", 1_714_570, (28, 28, 1), 1024, 256),
    ("fast_cnn", 1_528_842, (32, 32, 3), 256, 128),
)
# Name, replicas, place.
WAYS = (("1", 1, "devices"), ("2 devices", 2, "devices"), ("2 processes", 2, "processes"))
REPEATS = 20
# The record is no part of a step; an MLflow that is not there costs a line.
ENVIRONMENT = {"PYTHONPATH": str(ROOT), "MLFLOW_TRACKING_URI": "http://127.0.0.1:9"}


def main() -> None:
    parser = program_parser("benchmarks.replicas", __doc__)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--exchange", nargs=3, type=int, metavar=("PROCESSES", "RANK", "PORT"),
                        help="used by itself")  # fmt: skip
    given = parser.parse_args()
    if given.exchange:
        _exchange(*given.exchange)
        return
    print(machine.in_words(machine.description()))
    for name, _, shape, images, batch in NETWORKS:
        print(f"{name}, batches of {batch}, ms a step", flush=True)
        for _ in range(given.rounds):
            for way, replicas, place in WAYS:
                changes = {"model": name, "batch_size": batch, "replicas": replicas}
                print(f"  {way:12}", _step(changes, place, (images, *shape)), flush=True)
    print("an exchange, ms")
    for processes in (1, 2):
        _exchanges(processes)


def _step(changes: dict[str, Any], place: str, shape: tuple[int, ...]) -> int:
    """Milliseconds a step of the third epoch."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        yaml = YAML()
        values = yaml.load(ROOT / "params.yaml")
        values.update({"backend": "jax", "epochs": 3, "validation_fraction": 0, **changes})
        yaml.dump(values, folder / "params.yaml")
        environment = {
            **os.environ,
            **ENVIRONMENT,
            "DVC_ROOT": name,
            "IMAGE_PIPELINE_REPLICAS": place,
        }
        out = ""
        for stage in ("params", "train"):
            if stage == "train":
                _write_prepared(folder, shape)
            out = subprocess.run(
                [sys.executable, "-m", f"stages.{stage}"],
                cwd=folder, env=environment, check=True, stdout=subprocess.PIPE, text=True,
            ).stdout  # fmt: skip
    number, unit = re.findall(r" (\d+)(m?s)/step", out)[-1]
    return int(number) * (1 if unit == "ms" else 1000)


def _write_prepared(folder: Path, shape: tuple[int, ...]) -> None:
    """data/prepared of random pixels in ten classes."""
    generator = np.random.default_rng(0)
    counts = {"train": shape[0], "validation": 0, "test": 10}
    (folder / paths.PREPARED).mkdir(parents=True)
    for part, count in counts.items():
        images = generator.integers(0, 256, (count, *shape[1:]), dtype="uint8")
        np.save(folder / paths.PREPARED / f"{part}_images.npy", images)
        labels = np.eye(10, dtype="float32")[np.arange(count) % 10]
        np.save(folder / paths.PREPARED / f"{part}_labels.npy", labels)
    channels = shape[-1]
    dataset = {
        **{"classes": [str(i) for i in range(10)], "image_shape": list(shape[1:])},
        **{"mirrored": False, "digest": "random", "counts": {k: [n] for k, n in counts.items()}},
        "normalization": {
            **{"method": "minmax", "mean": [0.0] * channels, "variance": [1.0] * channels}
        },
    }
    files.write_json(folder / paths.PREPARED / "dataset.json", dataset)
    files.write_json(folder / paths.FEATURES / "features.json", {"model": None})


def _exchanges(processes: int) -> None:
    """Let so many processes, of two devices together, exchange; the first prints."""
    port = str(distribution.free_port("127.0.0.1"))
    program = [sys.executable, "-m", "benchmarks.replicas", "--exchange", str(processes)]
    started = [
        subprocess.Popen(
            [*program, str(rank), port],
            stdout=None if rank == 0 else subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        for rank in range(processes)
    ]  # fmt: skip
    for process in started:
        process.wait()


def _exchange(processes: int, rank: int, port: int) -> None:
    os.environ |= {"KERAS_BACKEND": "jax", "NPROC": "2"}
    address = f"127.0.0.1:{port}" if processes > 1 else None
    distribution.connect(Share(2, processes, rank), address, None)
    import jax
    from jax.sharding import NamedSharding, PartitionSpec

    distribution.distribute(Share(2, processes, rank))
    from pipeline.training import divided

    mesh = jax.sharding.Mesh(np.array(jax.devices()[:2]), (divided.AXIS,))
    for name, weights, *_ in NETWORKS:
        rows = np.ones((2 // processes, weights), "float32")
        sharding = NamedSharding(mesh, PartitionSpec(divided.AXIS))
        given = jax.make_array_from_process_local_data(sharding, rows)
        ways = {
            "in the order of ranks": lambda x: divided.summed([x])[0],
            "as XLA does it": lambda x: jax.lax.psum(x, divided.AXIS),
        }
        found: dict[str, list[float]] = {way: [] for way in ways}
        steps = {way: jax.jit(divided.on_every_device(f, 0)) for way, f in ways.items()}
        for number in range(REPEATS + 1):
            for way, step in steps.items():
                start = time.perf_counter()
                jax.block_until_ready(step(given))
                if number:  # the first one is compiled
                    found[way].append(1000 * (time.perf_counter() - start))
        if rank == 0:
            where = "2 processes" if processes == 2 else "2 devices"
            for way, values in found.items():
                middle, least = statistics.median(values), min(values)
                print(
                    f"  {name}, {where}, {way}: median {middle:.1f}, least {least:.1f}", flush=True
                )
    if processes > 1:
        distribution.leave()
    os._exit(0)


if __name__ == "__main__":
    run_program("replicas", main)
