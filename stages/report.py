"""Draw the figures and write the report, one HTML file that opens without a network.

Reads data/params/report.json, data/prepared, data/explanations, what train and
evaluate wrote in reports/, and data/weights/weights.json where a model has a
pretrained base. Writes reports/report.html and reports/figures/*.png.
"""

import shutil
from pathlib import Path

from pipeline.figures import contents, page
from pipeline.figures.reading import read_results
from pipeline.runtime import files, paths
from pipeline.runtime.stage import run_stage, say
from pipeline.tracking import model_digest, recorder

# In data/, of which git sees nothing, should a crash leave it there.
SCRATCH = Path("data/.figures.partial")


def main() -> None:
    if paths.MODEL_FILE.exists():
        recorder.open_early()
    results = read_results()
    charts, layers = contents.charts(results), contents.layers(results)
    html = page.render({**contents.words(results), "figures": charts, "activations": layers})
    numbered = {
        f"layer_{number}_{name}": png for number, (name, png) in enumerate(layers.items(), start=1)
    }
    figures = charts | contents.sheets(results) | numbered
    scratch = files.fresh_folder(SCRATCH)
    try:
        for name, png in figures.items():
            (scratch / f"{name}.png").write_bytes(png)
        files.publish(scratch, paths.FIGURES)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    files.write_text(paths.REPORTS / "report.html", html)
    _record()
    say("report", f"{paths.REPORTS / 'report.html'} and {len(figures)} figures")


def _record() -> None:
    """Add the page and the pictures to the MLflow run of the model."""
    if not paths.MODEL_FILE.exists():
        say("report", f"{paths.MODEL_FILE} is not there: the report is not recorded in MLflow")
        return
    record = recorder.attach_run(model_digest())
    record.log_artifact(paths.REPORTS / "report.html")
    record.log_artifact(paths.FIGURES, "figures")
    # The stages' wall times; a stage that came from DVC's cache keeps its last one.
    # That of training stands there already, with what was trained before a crash.
    for path in sorted(paths.TIMINGS.glob("*.json")):
        if path.stem != "train":
            record.log_metrics(files.read_json(path))
    record.finish()


if __name__ == "__main__":
    run_stage("report", main, __doc__, recorder.record_failure)
