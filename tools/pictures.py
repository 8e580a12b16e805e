"""Take the pictures of README and docs anew, from what is here, with headless Chromium.

    make repro && make compare && python -m tools.pictures

Wants a finished run, and experiments for the comparison. Writes docs/pictures/*.png, each under
200 kB, and reports/default.json, what the pictured run reached (README's table has it).
"""

import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import PipelineError
from pipeline.figures.headline import wilson_interval
from pipeline.runtime import files, machine, paths
from pipeline.runtime.stage import program_parser, run_program, say
from tools.documentation.browser import opened, picture, save

FOLDER = Path("docs/pictures")
# Seconds that MLflow's server may take to say where it is, and to end.
PATIENCE = 120


@dataclass(frozen=True)
class Shot:
    """One picture: the page's first `size` pixels, when the selector's elements are `least`."""

    name: str
    address: str
    size: tuple[int, int]
    selector: str
    least: int = 1
    script: str = ""

    def ready(self, driver: Any) -> bool:
        return len(driver.find_elements("css selector", self.selector)) >= self.least


def main(arguments: Sequence[str] | None = None) -> None:
    parser = program_parser("tools.pictures", __doc__)
    parser.add_argument("--into", type=Path, default=FOLDER, help=f"folder (default: {FOLDER})")
    into = parser.parse_args(arguments).into
    report, comparison = paths.REPORTS / "report.html", paths.REPORTS / "experiments.html"
    for path, target in ((report, "repro"), (comparison, "compare")):
        if not path.is_file():
            raise PipelineError(f"{path}: not there; run `make {target}`, which makes it")
    with opened() as driver:
        take(driver, Shot("report", report.absolute().as_uri(), (1200, 1090), "#confusion"), into)
        shot = Shot("comparison", comparison.absolute().as_uri(), (1200, 1060), "#plot svg")
        take(driver, shot, into)
        with_mlflow(lambda address: take(driver, mlflow_page(address), into))
    record_default()


def take(driver: Any, shot: Shot, into: Path) -> None:
    """Take one picture and write it."""
    image = picture(driver, shot.address, shot.size, shot.ready, script=shot.script)
    save(image, into / f"{shot.name}.png")
    say("pictures", f"{into / shot.name}.png, {(into / f'{shot.name}.png').stat().st_size:,} bytes")


def mlflow_page(address: str) -> Shot:
    """The table of the runs, which the address of `make ui` opens, without what MLflow offers."""
    script = """
    for (const name of ["assistant.chat_panel.close", "experiment_page.shared_view.dismiss"])
        document.querySelector(`[data-component-id="mlflow.${name}"]`)?.click();"""
    return Shot("mlflow", address, (1500, 660), "[role=row]", least=3, script=script)


def with_mlflow(use: Callable[[str], None]) -> None:
    """Start `make ui`'s server on 127.0.0.1, use it, and end it.

    Raises:
        PipelineError: it does not say where it is.
    """
    command = [sys.executable, "-u", "-m", "tools.ui"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert server.stdout is not None
        first = server.stdout.readline()
        address = re.search(r"http://127\.0\.0\.1:\d+\S*", first)
        if not address:
            raise PipelineError("MLflow's UI did not start; `make ui` says why")
        use(address[0])
    finally:
        server.terminate()
        server.wait(PATIENCE)


def record_default() -> None:
    """Write reports/default.json, where the run is that of the default network and data."""
    metrics = files.read_json(paths.REPORTS / "metrics.json")
    parameters = files.read_json(paths.PARAMS / "report.json")
    right = round(metrics["accuracy"] * metrics["images"])
    low, high = wilson_interval(right, metrics["images"])
    seconds = [next(iter(files.read_json(p).values())) for p in paths.TIMINGS.glob("*.json")]
    values = {
        "data": parameters["dataset"],
        "model": parameters["model"],
        "images": f"{metrics['images']:,}",
        "accuracy": f"{metrics['accuracy']:.3f} ({low:.3f} to {high:.3f})",
        "seconds": f"{sum(seconds):.0f}",
        "machine": machine.processor(),
        "command": "make repro",
    }
    files.write_json(paths.REPORTS / "default.json", values)


if __name__ == "__main__":
    run_program("pictures", main)
