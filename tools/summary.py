"""What `make repro` ends with: the scores in a table, and the places to look next.

Reads reports/metrics.json and reports/timings; no DVC stage, writes nothing.
"""

from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.runtime import files, paths
from pipeline.runtime.stage import run_program


def main() -> None:
    try:
        metrics = files.read_json(paths.REPORTS / "metrics.json")
    except FileNotFoundError as error:
        raise PipelineError(
            f"{error.filename}: not there; run `make repro`, which makes it"
        ) from None
    seconds = [next(iter(files.read_json(p).values())) for p in paths.TIMINGS.glob("*.json")]
    rows = [
        ("accuracy", f"{metrics['accuracy']:.4f}"),
        ("loss", f"{metrics['loss']:.4f}"),
        ("precision (macro)", f"{metrics['precision']:.4f}"),
        ("recall (macro)", f"{metrics['recall']:.4f}"),
        ("F1 (macro)", f"{metrics['f1']:.4f}"),
        ("time in the stages", f"{sum(seconds):.0f} s"),
    ]
    print(f"\n  On {metrics['images']:,} test images")
    for name, value in rows:
        print(f"    {name:<20} {value:>8}")
    print(
        f"\n  Next: the report      {Path('reports/report.html').absolute()}"
        "\n        all experiments .venv/bin/dvc exp show"
        "\n        MLflow's UI     make ui"
    )


if __name__ == "__main__":
    run_program("summary", main)
