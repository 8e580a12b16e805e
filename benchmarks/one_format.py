"""One exported file, or the Keras model, measured in a process of its own.

    python -m benchmarks.one_format FORMAT FILE IMAGES

prints JSON: seconds until the first answer (imports, opening, one image), milliseconds
for one image, images a second at 32, MiB of the process at its largest.
"""

import argparse
import json
import resource
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from pipeline.datasets.pool import processors
from pipeline.runtime.stage import program_parser, run_program

Answer = Callable[[np.ndarray], np.ndarray]
SINGLE = 100  # calls with one image
BATCH = 32
SECONDS = 2.0  # of batches
# Linux counts the resident memory in KiB, macOS in bytes.
RSS_UNIT = 2**10 if sys.platform == "linux" else 1


def main(arguments: Sequence[str] | None = None) -> None:
    given = _parser().parse_args(arguments)
    images = np.load(given.images, mmap_mode="r")
    one, many = np.array(images[:1]), np.array(images[:BATCH])
    start = time.perf_counter()
    single, batch = _opened(given.format, given.file)
    single(one)
    first = time.perf_counter() - start
    times = []
    for _ in range(SINGLE):
        before = time.perf_counter()
        single(one)
        times.append(time.perf_counter() - before)
    batch(many)
    before, done = time.perf_counter(), 0
    while time.perf_counter() - before < SECONDS:
        batch(many)
        done += len(many)
    rate = done / (time.perf_counter() - before)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * RSS_UNIT / 2**20
    found = {
        "load_seconds": first,
        "single_ms": 1000 * statistics.median(times),
        "images_per_second": rate,
        "peak_mib": peak,
    }
    print(json.dumps(found))


def _opened(form: str, file: Path) -> tuple[Answer, Answer]:
    """What answers for one image, and for many."""
    if not form.startswith("keras"):
        from tools.exporting import formats

        answer = formats.ALL[form].answer(file, processors())
        return answer, answer
    from pipeline import backend

    backend.configure(0, processors(), deterministic=False, dtype="float32")
    from pipeline.networks.saving import load_model

    model = load_model(file)
    if form == "keras-compiled":
        return model.predict_on_batch, model.predict_on_batch
    return (
        lambda pixels: model.predict(pixels, verbose=0),
        lambda pixels: model.predict(pixels, batch_size=BATCH, verbose=0),
    )


def _parser() -> argparse.ArgumentParser:
    parser = program_parser("benchmarks.one_format", __doc__)
    parser.add_argument("format")
    parser.add_argument("file", type=Path)
    parser.add_argument("images", type=Path, help="an .npy file, uint8 (n, h, w, c)")
    return parser


if __name__ == "__main__":
    run_program("one_format", main)
