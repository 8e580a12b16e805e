"""What MLflow is told of the scored model: what `evaluate` and `report` have left."""

from collections.abc import Mapping
from typing import Any

from pipeline.runtime import files, paths
from pipeline.runtime.stage import say
from pipeline.tracking import attach_run, model_digest
from pipeline.tracking.training import catch_up

TABLES = ("metrics.json", "classes.csv", "confusion.csv", "predictions.csv", "report.html")


def record_scores() -> None:
    """Add the test's scores, the tables, the page and its figures to the run of the model."""
    if not paths.MODEL_FILE.exists():
        say("report", f"{paths.MODEL_FILE} is not there: the report is not recorded in MLflow")
        return
    catch_up()
    record = attach_run(model_digest())
    record.log_metrics(flat(files.read_json(paths.REPORTS / "metrics.json")))
    for name in TABLES:
        record.log_artifact(paths.REPORTS / name)
    record.log_artifact(paths.FIGURES, "figures")
    # The stages' wall times; a stage that came from DVC's cache keeps its last one.
    # That of training stands there already, with what was trained before a crash.
    for path in sorted(paths.TIMINGS.glob("*.json")):
        if path.stem != "train":
            record.log_metrics(files.read_json(path))
    record.finish()
    if record.run_id is not None and not record.whole:
        say("mlflow", "the record has gaps; `dvc repro -f -s report` fills them")


def flat(summary: Mapping[str, Any]) -> dict[str, float]:
    """The scores of reports/metrics.json: {"weighted": {"f1": 1}} is test_weighted_f1."""
    found: dict[str, float] = {}
    for name, value in summary.items():
        if name == "parameters":
            continue
        nested = value.items() if isinstance(value, Mapping) else [(None, value)]
        found |= {f"test_{name}_{key}" if key else f"test_{name}": v for key, v in nested}
    return found
