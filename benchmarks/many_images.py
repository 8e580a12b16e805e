"""What an image costs, from thousands to hundreds of thousands of them.

Makes folders of small JPEG photographs below FOLDER, runs download, prepare and
features on each in an empty workspace, each stage in a process of its own, and
prints a table: seconds and CPU seconds a thousand images, the peak memory of the
largest process, and a digest of the stage's out. The base's weights are random.
IMAGE_PIPELINE_POOL says where the work runs, as for the stages themselves.
"""

import argparse
import hashlib
import io
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pipeline.parameters.stages import DownloadParameters, FeaturesParameters, PrepareParameters
from pipeline.runtime import files, paths, source
from pipeline.runtime.stage import program_parser, run_program

CLASSES = 10
SIDES = (32, 97)  # pixels, from and below
SIZE = 32
MODEL = "mobilenet"
STAGES = ("download", "prepare", "features")
OUTS = {"download": paths.RAW, "prepare": paths.PREPARED, "features": paths.FEATURES}
COLUMNS = "| images | stage | s a thousand | CPU s a thousand | MiB | s | digest |"


@dataclass(frozen=True)
class Measured:
    """One stage: wall and CPU seconds, of its children too, and the largest process in MiB."""

    seconds: float
    cpu: float
    mebibytes: float


def main() -> None:
    arguments = parser().parse_args()
    print(f"{COLUMNS}\n|{'---|' * COLUMNS[1:].count('|')}", flush=True)
    for count in arguments.images:
        photographs = make_photographs(arguments.folder.absolute() / f"photographs-{count}", count)
        workspace = arguments.folder.absolute() / "workspace"
        for stage in ready(workspace, photographs, arguments.stages):
            found = run(stage, workspace)
            thousand = 1000 / count
            print(
                f"| {count:,} | {stage} | {found.seconds * thousand:.3f} "
                f"| {found.cpu * thousand:.3f} | {found.mebibytes:,.0f} | {found.seconds:.1f} "
                f"| {digest(workspace / OUTS[stage])[:12]} |",
                flush=True,
            )
        shutil.rmtree(workspace)


def parser() -> argparse.ArgumentParser:
    """The arguments of `python -m benchmarks.many_images`."""
    made = program_parser("benchmarks.many_images", __doc__)
    made.add_argument("folder", type=Path, help="where photographs and workspace are made")
    made.add_argument("--images", type=int, nargs="+", default=[2_000, 20_000, 200_000])
    made.add_argument("--stages", nargs="+", choices=STAGES, default=list(STAGES))
    return made


def make_photographs(folder: Path, count: int) -> Path:
    """`count` JPEGs of different sizes in class folders; what is whole already stands."""
    done = folder.with_suffix(".done")
    if done.exists():
        return folder
    for label in range(CLASSES):
        (folder / f"class-{label}").mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(count)
    for number in range(count):
        width, height = generator.integers(*SIDES, 2).tolist()
        colours = generator.integers(0, 256, (6, 6, 3), dtype="uint8")
        image = Image.fromarray(colours).resize((width, height), Image.Resampling.BILINEAR)
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=80)
        place = folder / f"class-{number % CLASSES}" / f"{number:07}.jpg"
        place.write_bytes(buffer.getvalue())
    done.touch()
    return folder


def ready(workspace: Path, dataset: Path, stages: list[str]) -> Iterator[str]:
    """An empty workspace with the stages' parameters in it; the stages to run."""
    files.fresh_folder(workspace)
    parameters: dict[type[Any], dict[str, Any]] = {
        DownloadParameters: {"dataset": str(dataset)},
        PrepareParameters: {
            "image_size": SIZE,
            "channels": 3,
            "resize": "stretch",
            "validation_fraction": 0.1,
            "test_fraction": 0.1,
            "split_seed": 42,
            "normalization": "imagenet",
            "unreadable": "error",
        },
        FeaturesParameters: {
            "model": MODEL,
            "dtype": "float32",
            "deterministic": True,
            "threads": 2,
        },
    }
    for each, values in parameters.items():
        files.write_json(workspace / each.path(), values)
    if "features" in stages:
        _weights(workspace)
    yield from (stage for stage in STAGES if stage in stages)


def run(stage: str, workspace: Path, **environment: str) -> Measured:
    """Run a stage in the workspace, measured by the kernel."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", f"stages.{stage}"],
        cwd=workspace,
        env={
            **os.environ,
            "PYTHONPATH": str(source.ROOT),
            "DVC_ROOT": str(workspace),
            **environment,
        },
        stdout=sys.stderr,
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - start
    if process.returncode:
        raise SystemExit(f"{stage}: ended with {process.returncode}")
    return Measured(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def digest(folder: Path) -> str:
    """SHA-256 (hex) over the names and bytes of all files below a folder."""
    whole = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            whole.update(f"{path.relative_to(folder)} {files.sha256(path)}\n".encode())
    return whole.hexdigest()


def _weights(workspace: Path) -> None:
    """data/weights with random arrays, in a process of its own: Keras is seconds and memory."""
    script = (
        "import numpy as np\n"
        "from pathlib import Path\n"
        "from pipeline import backend\n"
        "backend.configure(0, 1, True, 'float32')\n"
        "from pipeline.pretrained import arrays, weights\n"
        "from pipeline.runtime import files, paths\n"
        "from pipeline.runtime.arrays import save_arrays\n"
        "draw = np.random.default_rng(0)\n"
        f"shapes = arrays.layout({MODEL!r}).shapes.items()\n"
        "found = {n: np.abs(draw.standard_normal(s, dtype='float32')) * 0.1 for n, s in shapes}\n"
        "paths.WEIGHTS.mkdir(parents=True)\n"
        "save_arrays(paths.WEIGHTS / weights.ARRAYS_FILE, found)\n"
        "record = {'sha256': arrays.digest(found), 'pretrained_weights': 'random'}\n"
        "files.write_json(paths.WEIGHTS / weights.RECORD_FILE, record)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(source.ROOT), "TF_CPP_MIN_LOG_LEVEL": "2"}
    subprocess.run([sys.executable, "-c", script], cwd=workspace, env=environment, check=True)


if __name__ == "__main__":
    run_program("many_images", main)
