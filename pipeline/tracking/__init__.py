"""The MLflow record: one pipeline run is one MLflow run.

    train      record = start_run(parameters, tags, resume=run_id_or_None)
    report     record = attach_run(model_digest(path)), with what evaluate has left
    any stage  run_stage(..., on_failure=record_failure)

If MLflow cannot be used, one line says so and the stage goes on: every method
of its record then does nothing. MLflow is imported by the first call (1 to 3
seconds), never by `import pipeline.tracking`.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.tracking.record import Record as Record
    from pipeline.tracking.runs import attach_run as attach_run
    from pipeline.tracking.runs import known_scores as known_scores
    from pipeline.tracking.runs import mark_dead_runs as mark_dead_runs
    from pipeline.tracking.runs import model_digest as model_digest
    from pipeline.tracking.runs import record_failure as record_failure
    from pipeline.tracking.runs import start_run as start_run

_RUNS = (
    "attach_run",
    "known_scores",
    "mark_dead_runs",
    "model_digest",
    "record_failure",
    "start_run",
)


def __getattr__(name: str) -> Any:
    # On first use: the copy of this package that goes with a logged model (see
    # `model`) is imported where psutil and filelock need not be installed.
    if name == "Record":
        from pipeline.tracking.record import Record

        return Record
    if name in _RUNS:
        from pipeline.tracking import runs

        return getattr(runs, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
