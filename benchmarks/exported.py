"""Measure the exported files of the workspace's model beside Keras, in one run.

    python -m benchmarks.exported                        prints the table
    python -m benchmarks.exported --into docs/export.md  and writes it there, too

Exports what is missing (ONNX, LiteRT and, where it is installed, OpenVINO, with 8-bit
files), then measures each file in a process of its own, all of them round by round.
The table has medians, and says how much other programs used the processors.
"""

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from benchmarks import machine
from benchmarks.page import write_between
from benchmarks.table import BUSY
from pipeline.errors import PipelineError
from pipeline.runtime import files, paths
from pipeline.runtime.stage import program_parser, run_program, say

START, END = "<!-- measured by benchmarks.exported -->", "<!-- end of what was measured -->"
KERAS = (("Keras, predict", "keras"), ("Keras, predict_on_batch", "keras-compiled"))
FILES = (
    ("ONNX Runtime", "onnx", "model.onnx"),
    ("ONNX Runtime, 8 bits", "onnx", "model.int8.onnx"),
    ("LiteRT", "litert", "model.tflite"),
    ("LiteRT, 8 bits", "litert", "model.int8.tflite"),
    ("OpenVINO", "openvino", "model.xml"),
)


@dataclass
class Row:
    """A line of the table: what is measured, its file, and the values of each round."""

    title: str
    form: str
    file: Path
    size: int
    values: list[dict[str, float]]

    def median(self, name: str) -> float:
        return statistics.median(value[name] for value in self.values)


def main(arguments: Sequence[str] | None = None) -> None:
    given = _parser().parse_args(arguments)
    images = paths.PREPARED / "test_images.npy"
    for path in (paths.MODEL_FILE, images):
        if not path.is_file():
            raise PipelineError(f"{path}: not there; run `dvc repro`, which makes it")
    rows = _rows()
    before = _busy(), _own(), time.perf_counter()
    for number in range(1, given.rounds + 1):
        for row in rows:
            row.values.append(_measured(row, images))
        say("exported", f"round {number} of {given.rounds} is done")
    used, own, seconds = _busy() - before[0], _own() - before[1], time.perf_counter() - before[2]
    others = max(0.0, used - own) / seconds / (psutil.cpu_count() or 1)
    text = table(rows, given.rounds, others)
    print(f"\n{text}")
    if given.into:
        write_between(given.into, START, END, text)
        say("exported", f"written into {given.into}")


def table(rows: Sequence[Row], rounds: int, others: float) -> str:
    """The table in Markdown, and below it what it was measured on."""
    keras = rows[0]
    lines = [
        "| | size, MiB | first answer after, s | one image, ms | of Keras’ predict "
        "| images/s at 32 | memory, MiB |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        share = row.median("single_ms") / keras.median("single_ms")
        lines.append(
            f"| {row.title} | {row.size / 2**20:.1f} | {row.median('load_seconds'):.2f} | "
            f"{row.median('single_ms'):.2f} | {share:.3f} | "
            f"{row.median('images_per_second'):,.0f} | {row.median('peak_mib'):,.0f} |"
        )
    words = (
        f"Medians of {rounds} rounds, one after the other; "
        f"{machine.in_words(machine.description())}; other programs used {others:.0%} of the "
        f"processors meanwhile{', so read the ratios' if others > BUSY else ''}."
    )
    return "\n".join([*lines, "", words])


def _rows() -> list[Row]:
    """Export what is missing, and list what there is to measure."""
    wanted = ["onnx", "litert"]
    if importlib.util.find_spec("openvino"):
        wanted.append("openvino")
    folder = _folder()
    if folder is None or not all(
        (folder / name).exists() for _, form, name in FILES if form in wanted
    ):
        command = ["-m", "tools.export", "--to", ",".join(wanted), "--quantize", "int8"]
        if subprocess.run([sys.executable, *command]).returncode:
            raise PipelineError("exporting failed; see the line above")
        folder = _folder()
    assert folder is not None
    model = paths.MODEL_FILE
    rows = [Row(title, form, model, model.stat().st_size, []) for title, form in KERAS]
    for title, form, name in FILES:
        path = folder / name
        if path.exists():
            size = path.stat().st_size
            beside = path.with_suffix(".bin")
            size += beside.stat().st_size if form == "openvino" else 0
            rows.append(Row(title, form, path, size, []))
    return rows


def _folder() -> Path | None:
    """The exports of this very model."""
    digest = files.sha256(paths.MODEL_FILE)
    for path in sorted(Path("exports").glob("*/model.json")):
        if files.read_json(path)["digests"]["model"] == digest:
            return path.parent
    return None


def _measured(row: Row, images: Path) -> dict[str, float]:
    command = ["-m", "benchmarks.one_format", row.form, str(row.file), str(images)]
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True)
    if done.returncode:
        raise PipelineError(f"{row.title}: {(done.stderr.strip().splitlines() or ['?'])[-1]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _busy() -> float:
    """CPU seconds that all processes of the machine have used."""
    times = psutil.cpu_times()._asdict()
    return sum(times[name] for name in ("user", "system", "nice", "steal") if name in times)


def _own() -> float:
    """CPU seconds of this process and of those that it waited for."""
    return sum(os.times()[:4])


def _parser() -> argparse.ArgumentParser:
    parser = program_parser("benchmarks.exported", __doc__)
    parser.add_argument("--rounds", type=int, default=3, help="how often (default: 3)")
    parser.add_argument("--into", type=Path, help="a Markdown file with the table's two lines")
    return parser


if __name__ == "__main__":
    run_program("exported", main)
