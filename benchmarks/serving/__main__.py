"""Measure our server beside `mlflow models serve` of the same registered model.

    python -m benchmarks.serving             the workspace's data set, alias `best`

Both run at once, the idle one costs nothing; wrk asks one and the other in turn,
A B A B, by 1, 8 and 32 clients. Then 20,000 requests for the memory and 200
hostile ones with good ones among them, for ours alone. Needs wrk (Debian's
package wrk). Bound to 127.0.0.1; ends by itself.
"""

import asyncio
import base64
import json
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from PIL import Image

from benchmarks import machine
from benchmarks.serving import hostile, load, servers
from benchmarks.serving.load import Load
from pipeline.errors import PipelineError
from pipeline.runtime.stage import program_parser, run_program, say
from tools.demonstration import examples
from tools.serving import registry, trained

CLIENTS = (1, 8, 32)
REQUESTS = 20_000
JSON = "application/json"


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status: 1 if something was answered as it should not be."""
    parser = program_parser("benchmarks.serving", __doc__)
    parser.add_argument("--dataset", help="the data set's name (default: the workspace's)")
    parser.add_argument("--image", type=Path, help="a JPEG to send (default: a test image)")
    parser.add_argument("--seconds", type=float, default=10, help="of each measurement (10)")
    parser.add_argument("--rounds", type=int, default=3, help="A B A B … (3)")
    parser.add_argument("--without-mlflow", action="store_true", help="ours alone")
    given = parser.parse_args(arguments)
    name = given.dataset or registry.registered_dataset(trained.open_store())
    version = trained.registered(trained.open_store(), name, registry.ALIAS)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        photo = _photo(given.image, folder)
        body = folder / "request.json"
        body.write_text(_request(photo))
        say("serving", f"{name} version {version.version}, {photo.stat().st_size:,} bytes an image")
        with servers.ours(folder, "--dataset", name) as ours:
            for line in ours.said.read_text().splitlines():
                if " workers, " in line:
                    say("serving", line.removeprefix("serve: "))
            if not given.without_mlflow:
                with servers.mlflows(folder, f"models:/{name}/{version.version}") as theirs:
                    _beside(ours, theirs, body, given.seconds, given.rounds)
            problems = _memory(ours, body)
            problems += _hostile(ours, photo)
    print(f"\n{machine.in_words(machine.description())}")
    for problem in problems:
        say("serving", problem)
    return 1 if problems else 0


def _beside(
    ours: servers.Running, theirs: servers.Running, body: Path, seconds: float, rounds: int
) -> None:
    """Measure both in turn and print a row for each and the ratios."""
    for one in (theirs, ours):  # what is loaded late is loaded now
        load.run(one.address, body, JSON, 8, 2)
    print("\n| clients | server | requests/s | p50 ms | p95 ms | p99 ms | processor ms/request |")
    print("|---|---|---|---|---|---|---|")
    for clients in CLIENTS:
        rows: dict[str, list[tuple[Load, float]]] = {theirs.name: [], ours.name: []}
        for _ in range(rounds):
            for one in (theirs, ours):
                before = one.processor_seconds()
                found = load.run(one.address, body, JSON, clients, seconds)
                used = 1000 * (one.processor_seconds() - before) / max(1, found.requests)
                rows[one.name].append((found, used))
        for server, runs in rows.items():
            values = [
                statistics.median(value(run) for run in runs)
                for value in (_rate, _p50, _p95, _p99, lambda run: run[1])
            ]
            failed = sum(run[0].failed for run in runs)
            note = f", {failed} failed" if failed else ""
            text = " | ".join(f"{value:,.{0 if i == 0 else 2}f}" for i, value in enumerate(values))
            print(f"| {clients} | {server}{note} | {text} |")
        pairs = list(zip(rows[theirs.name], rows[ours.name], strict=True))
        rate = statistics.median(_rate(own) / _rate(other) for other, own in pairs)
        late = statistics.median(_p95(own) / _p95(other) for other, own in pairs)
        print(f"| {clients} | ours / MLflow's | {rate:.1f} | | {late:.2f} | | |", flush=True)


def _memory(ours: servers.Running, body: Path) -> list[str]:
    """Resident memory before and after many requests."""
    load.run(ours.address, body, JSON, 32, 5)
    before, done = ours.memory(), 0
    while done < REQUESTS:
        done += load.run(ours.address, body, JSON, 32, 5).requests
    after = ours.memory()
    print(f"\nMemory of {len(ours.workers())} workers and their server: {before / 2**20:.0f} MiB, "
          f"after {done:,} requests {after / 2**20:.0f} MiB", flush=True)  # fmt: skip
    return [] if after < 1.1 * before + (20 << 20) else ["the memory has grown"]


def _hostile(ours: servers.Running, photo: Path) -> list[str]:
    tally = asyncio.run(hostile.attack(int(urlsplit(ours.address).port or 0), photo.read_bytes()))
    print("\n| hostile clients | answers |\n|---|---|")
    for kind, answers in tally.hostile.items():
        print(f"| {kind} | {', '.join(f'{count} × {what}' for what, count in answers.items())} |")
    good = ", ".join(f"{count} × {what}" for what, count in tally.good.items())
    print(f"| good ones among them | {good}, the slowest {tally.slowest:.2f} s |")
    said = ours.said.read_text(errors="replace").partition(servers.READY)[2].splitlines()[1:]
    return tally.bad + [f"it said: {line}" for line in said]


def _rate(run: tuple[Load, float]) -> float:
    return run[0].rate


def _p50(run: tuple[Load, float]) -> float:
    return run[0].p50


def _p95(run: tuple[Load, float]) -> float:
    return run[0].p95


def _p99(run: tuple[Load, float]) -> float:
    return run[0].p99


def _photo(image: Path | None, folder: Path) -> Path:
    """The file that is sent: one that is named, else a test image of the workspace."""
    if image is not None:
        if not image.is_file():
            raise PipelineError(f"--image: {image}: not there")
        return image
    examples.write(folder)
    found = sorted(folder.glob("test-*.png"))
    if not found:
        raise PipelineError("--image: name one; there is no test image in data/prepared")
    path = folder / "photo.jpg"
    with Image.open(found[0]) as pixels:
        pixels.save(path, quality=95)
    return path


def _request(photo: Path) -> str:
    text = base64.b64encode(photo.read_bytes()).decode()
    return json.dumps({"dataframe_records": [{"image": text}]})


if __name__ == "__main__":
    run_program("serving", main)
