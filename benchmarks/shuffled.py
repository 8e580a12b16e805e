"""What block-by-block shuffling does to the accuracy, and to the disk.

`accuracy` trains on CIFAR-10 with each order, in a process for each, and prints the validation
part's accuracy after every epoch. `disk` reads a file of FILE GiB in batches, as training does,
and prints images a second and what was read from the disk for each byte that was used; run it
where the file does not fit into the memory (a control group with a limit).
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import many_images
from pipeline.parameters.code import stage_code
from pipeline.parameters.reader import read_parameters
from pipeline.parameters.resolve import cut, resolve
from pipeline.runtime import files, source
from pipeline.runtime.arrays import ArrayWriter, load_array
from pipeline.runtime.stage import program_parser, run_program
from pipeline.training import shuffling

# Images a block, and blocks that are taken together; None: all at random. 35,000 train.
ORDERS = {"whole": None, "32 blocks of 100": (100, 32), "1 block of 1,000": (1_000, 1)}
TRAIN = """
import json, sys
from pipeline.training import shuffling
sizes = json.loads(sys.argv[1])
if sizes:
    shuffling.WHOLE_BYTES, shuffling.sizes = 0, lambda inputs: tuple(sizes)
from pathlib import Path
from pipeline import backend
from pipeline.parameters.stages import TrainParameters
from pipeline.runtime import files, paths
parameters = TrainParameters.read().model_copy(update={"seed": int(sys.argv[2])})
backend.configure(parameters.seed, parameters.threads, True, parameters.dtype)
from pipeline.training import checkpoint, fitting, phases
dataset = files.read_json(paths.PREPARED / "dataset.json")
model = phases.build(parameters, dataset)
folder, progress = Path("checkpoints"), checkpoint.Progress()
files.fresh_folder(folder)
fitting.fit(phases.phases(model, parameters, dataset), folder, progress, lambda _: None)
print(json.dumps([row["val_accuracy"] for row in progress.history]))
"""
IMAGE = (224, 224, 3)
BATCH = 32


def main() -> None:
    arguments = parser().parse_args()
    folder = arguments.folder.absolute()
    if arguments.what == "accuracy":
        asked = {"model": arguments.model, "epochs": arguments.epochs}
        accuracy(folder, {**asked, "image_size": arguments.image_size}, arguments.seeds)
    else:
        disk(folder, arguments.gibibytes, arguments.images)


def parser() -> argparse.ArgumentParser:
    """The arguments of `python -m benchmarks.shuffled`."""
    made = program_parser("benchmarks.shuffled", __doc__)
    made.add_argument("what", choices=("accuracy", "disk"))
    made.add_argument("folder", type=Path)
    made.add_argument("--model", default="two_block_cnn")
    made.add_argument("--epochs", type=int, default=3)
    made.add_argument("--image-size", type=int, default=32, help="pixels a side")
    made.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    made.add_argument("--gibibytes", type=float, default=4)
    made.add_argument("--images", type=int, default=6_000, help="to be read for each figure")
    return made


def accuracy(folder: Path, asked: dict[str, Any], seeds: list[int]) -> None:
    """Train with each order, in turn; the window and the block are given in images."""
    asked = {"dataset": "cifar10", **asked}
    parameters = read_parameters(source.ROOT / "params.yaml").model_copy(update=asked)
    values = resolve(parameters)
    for own in cut(values, stage_code(values)):
        files.write_json(folder / own.path(), own.model_dump())
    for stage in ("download", "prepare", "features"):
        many_images.run(stage, folder)
    for seed in seeds:
        for name, sizes in ORDERS.items():
            command = [sys.executable, "-c", TRAIN, json.dumps(sizes), str(seed)]
            environment = {**os.environ, "PYTHONPATH": str(source.ROOT)}
            done = subprocess.run(
                command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True, check=True
            )
            print(f"seed {seed}, {name}: {done.stdout.splitlines()[-1]}", flush=True)


def disk(folder: Path, gibibytes: float, images: int) -> None:
    """Read batches of an array on the disk in each order, A B A B."""
    row = int(np.prod(IMAGE))
    path = folder / "images.npy"
    count = int(gibibytes * 2**30) // row
    drawn = np.random.default_rng(0).integers(0, 256, (16, *IMAGE), dtype="uint8")
    with ArrayWriter(path, (count, *IMAGE), "uint8") as writer:
        while writer.done < count:
            writer.append(drawn[: count - writer.done])
    shuffling.WINDOW_BYTES = 128 << 20  # for the few GiB of memory of this measurement
    for _ in range(2):
        for name, whole in (("whole", 1 << 60), ("blocks", 0)):
            shuffling.WHOLE_BYTES = whole
            _forget(path)
            inputs = load_array(path)
            rows, ahead = shuffling.order(0, 0, inputs), shuffling.Ahead(inputs)
            before, start = _read_bytes(), time.perf_counter()
            for at in range(0, images, BATCH):
                ahead.look(0, rows, at)
                np.asarray(inputs[rows[at : at + BATCH]]).sum(dtype="uint64")
            seconds = time.perf_counter() - start
            used = images * row
            print(
                f"{name}: {images / seconds:,.0f} images a second, "
                f"{(_read_bytes() - before) / used:.2f} bytes read for one",
                flush=True,
            )


def _forget(path: Path) -> None:
    """Have the system drop what it keeps of the file in memory."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _read_bytes() -> int:
    """What the machine's disks have read, from /proc/diskstats: pages that the system reads ahead
    are no process's."""
    lines = [line.split() for line in Path("/proc/diskstats").read_text().splitlines()]
    return sum(int(line[5]) * 512 for line in lines if not line[2][-1].isdigit())


if __name__ == "__main__":
    run_program("shuffled", main)
