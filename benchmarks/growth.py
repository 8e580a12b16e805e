"""What it costs to grow: seconds and memory of every stage, at growing places.

    python -m benchmarks.growth            # up to 200,000 images, 12 minutes; resumes
    python -m benchmarks.growth --reduced  # up to 8,000; writes no page

The quantities are images, pixels a side, classes, the network's parameters, and images through
a frozen base, each with the others held. The images are drawn (`benchmarks.synthetic`); a stage is
a process of its own, by itself, training one epoch; DVC's own hashing is not in it. Writes
reports/growth.json, docs/growth.png, and the tables into docs/speed.md. No DVC stage.
"""

import argparse
import hashlib
import json
import sys
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import curves, machine, measuring
from benchmarks.page import write_between
from benchmarks.synthetic import write_archive
from benchmarks.table import BUSY
from pipeline.errors import PipelineError
from pipeline.parameters.code import entry_code
from pipeline.parameters.stages import combined
from pipeline.runtime import files, paths
from pipeline.runtime.stage import program_parser, run_program, say
from tools.experiments.command import STOPPED, shown
from tools.experiments.experiment import PARAMS_FILE, Base

PAGE, PICTURE = Path("docs/speed.md"), Path("docs/growth.png")
START, END = "<!-- measured by benchmarks.growth -->", "<!-- end of what it costs to grow -->"
STAGES = (
    *("params", "download", "weights", "prepare", "features", "twins"),
    *("train", "evaluate", "report"),
)
NETWORKS = ("tiny_cnn", "fashion_pool_cnn", "fashion_cnn")


@dataclass(frozen=True)
class Place:
    """One data set and network that all stages run for."""

    axis: str
    images: int
    pixels: int = 32
    classes: int = 10
    model: str = "mnist_cnn"

    def name(self) -> str:
        what = f"{self.images:,} of {self.pixels} pixels, {self.classes} classes"
        return f"{self.axis}: {what}, {self.model}"


def places(reduced: bool) -> Iterator[Place]:
    """What is measured, each quantity from the small to the large."""
    few, many = (500, 2_000) if reduced else (2_000, 20_000)
    for images in (few, many, 8_000 if reduced else 200_000):
        yield Place("images", images)
    for pixels in (32, 64, 128) if reduced else (32, 64, 128, 256):
        yield Place("pixels a side", few, pixels=pixels)
    for classes in (10, 40, 160) if reduced else (10, 100, 1_000):
        yield Place("classes", many, classes=classes)
    for model in NETWORKS:
        yield Place("parameters", few, model=model)
    for images in (500, 2_000) if reduced else (2_000, 8_000, 32_000):
        yield Place("images through a base", images, pixels=64, model="efficientnet_lite0")


def main() -> int:
    arguments = _parser().parse_args()
    folder = (arguments.folder or paths.state() / "growth").resolve()
    here = machine.description()
    kept = folder / "points.json"
    points: dict[str, Any] = files.read_json(kept) if kept.exists() and not arguments.again else {}
    found, failed = [], set()
    for place in places(arguments.reduced):
        key = _key(place, machine.in_words(here))
        if place.axis in failed:
            continue
        if key not in points:
            try:
                points[key] = measure(place, folder)
            except PipelineError as error:
                failed.add(place.axis)
                say("growth", f"{place.name()}: {error}")
                continue
            files.write_json(kept, points)
        found.append({**asdict(place), **points[key]})
    axes = {
        axis: [each for each in found if each["axis"] == axis]
        for axis in dict.fromkeys(each["axis"] for each in found)
        if axis not in failed
    }
    text = page(axes, machine.in_words(here))
    print(f"\n{text}")
    if not arguments.reduced:
        root = paths.root()
        files.write_json(root / paths.REPORTS / "growth.json", {"machine": here, "points": found})
        if "images" in axes:
            (root / PICTURE).write_bytes(curves.picture("images", axes["images"]))
        write_between(root / PAGE, START, END, text)
        say("growth", f"written into {shown(root / PAGE)}")
    return 1 if failed else 0


def measure(place: Place, folder: Path) -> dict[str, Any]:
    """Run all stages for a place, one after the other, in a folder that has run nothing.

    Raises:
        PipelineError: a stage fails.
    """
    archive = folder / "data" / f"{place.images}-{place.pixels}-{place.classes}.zip"
    if not archive.exists():
        write_archive(archive, place.images, place.pixels, place.classes)
    root = paths.root()
    work = files.fresh_folder(folder / "work")
    base = Base((root / PARAMS_FILE).read_text(encoding="utf-8"))
    wanted = {
        "dataset": str(archive),
        "image_size": place.pixels,
        "model": place.model,
        "epochs": 1,
        "batch_size": 128,
    }
    files.write_text(work / PARAMS_FILE, base.written(base.changed(place.name(), wanted)))
    variables = {"DVC_ROOT": str(work), "PYTHONPATH": str(root), "MLFLOW_DISABLE_TELEMETRY": "true"}
    stages, others = {}, 0.0
    for stage in STAGES:
        command = [sys.executable, "-m", f"stages.{stage}"]
        found = measuring.run(command, work, folder / "log.txt", variables)
        stages[stage] = {
            "seconds": round(found.seconds, 2),
            "cpu": round(found.cpu_seconds, 2),
            "mib": round(found.peak_mib),
        }
        others = max(others, found.others)
        say("growth", f"{place.name()}: {stage}: {found.seconds:.1f} s")
    own = {"images": place.images, "pixels a side": place.pixels, "classes": place.classes}
    at = own.get(place.axis, place.images)
    if place.axis == "parameters":
        at = parameters(work / paths.MODEL_FILE)
    date = datetime.now(UTC).date().isoformat()
    return {"at": at, "stages": stages, "others": round(others, 2), "date": date}


def parameters(model: Path) -> int:
    """How many numbers the layers of a saved model have."""
    import h5py

    total = 0

    def add(_: str, each: Any) -> None:
        nonlocal total
        total += each.size if isinstance(each, h5py.Dataset) else 0

    with zipfile.ZipFile(model).open("model.weights.h5") as member, h5py.File(member, "r") as file:
        file["layers"].visititems(add)
    return total


def page(axes: Mapping[str, Sequence[Mapping[str, Any]]], where: str) -> str:
    """The tables, and what they were measured on."""
    points = [point for each in axes.values() for point in each]
    parts = [curves.table(axis, each) for axis, each in axes.items() if len(each) > 1]
    dates = sorted({point["date"] for point in points})
    others = max((point["others"] for point in points), default=0.0)
    line = f"{where}; {' and '.join(dates)}; one run each."
    if others > BUSY:
        line += (
            f" Other programs used up to {others:.0%} of the processors: seconds say little, "
            "processor seconds more."
        )
    return "\n\n".join([*parts, line])


def _key(place: Place, where: str) -> str:
    """A digest of what is asked, of the code that runs, and of the machine."""
    code = combined(entry_code(place.model, None, paths.root(), left_out=measuring.LEFT_OUT))
    text = json.dumps([asdict(place), code, where])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _parser() -> argparse.ArgumentParser:
    parser = program_parser("benchmarks.growth", __doc__)
    parser.add_argument("--reduced", action="store_true", help="small places")
    parser.add_argument("--again", action="store_true", help="measure what is measured already")
    parser.add_argument("--folder", type=Path, help="data and logs (default: .state/growth)")
    return parser


if __name__ == "__main__":
    run_program("growth", main, STOPPED)
