"""Draw the figures and write the report, one HTML file that opens without a network.

Reads data/params/report.json, data/prepared, data/explanations, data/first_batch.npz, data/twins,
what train and evaluate wrote in reports/, and data/weights/weights.json where a model has a
pretrained base. Writes reports/report.html and reports/figures/*.png.
"""

import shutil
from pathlib import Path

from pipeline import tracking
from pipeline.figures import contents, page
from pipeline.figures.reading import read_results
from pipeline.runtime import files, paths
from pipeline.runtime.stage import run_stage, say
from pipeline.tracking.scoring import record_scores

# In data/, of which git sees nothing, should a crash leave it there.
SCRATCH = Path("data/.figures.partial")


def main() -> None:
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
    record_scores()
    say("report", f"{paths.REPORTS / 'report.html'} and {len(figures)} figures")


if __name__ == "__main__":
    run_stage("report", main, __doc__, tracking.record_failure)
