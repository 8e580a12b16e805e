"""Train the model on the prepared images.

Reads data/params/train.json, data/prepared, data/weights and data/features.
Writes data/model/model.keras, which takes raw uint8 pixels, and
reports/history.csv, a row an epoch, as it goes. A killed run resumes after its
last finished epoch and ends with the same bytes as one that nobody killed.
"""

from pathlib import Path
from typing import Any

from pipeline import backend, tracking
from pipeline.parameters.stages import TrainParameters
from pipeline.runtime import files, paths, resume
from pipeline.runtime.locks import one_at_a_time
from pipeline.runtime.stage import run_stage, say
from pipeline.tracking.training import describe, finish, keep_epoch


def main() -> None:
    parameters = TrainParameters.read()
    dataset = files.read_json(paths.PREPARED / "dataset.json")
    backend.choose(parameters.backend)
    backend.configure(
        parameters.seed, parameters.threads, parameters.deterministic, parameters.dtype
    )
    environment = backend.environment()
    folder = resume.resume_folder("train", parameters.model_dump(), dataset, environment)
    with one_at_a_time("train", "training", folder):
        _train(parameters, dataset, environment, folder)


def _train(
    parameters: TrainParameters,
    dataset: dict[str, Any],
    environment: dict[str, str],
    folder: Path,
) -> None:
    from pipeline.networks import saving
    from pipeline.training import checkpoint, fitting, phases
    from pipeline.training.history import write_history

    progress = checkpoint.read_progress(folder / fitting.CHECKPOINT)
    if progress:
        say("train", f"resuming after epoch {len(progress.history)}, from a run that was stopped")
    else:
        progress = checkpoint.Progress()
    record = tracking.start_run(*describe(parameters, dataset, environment), progress.run_id)
    progress.run_id = record.run_id
    for row in progress.history:  # MLflow may have missed the last one
        keep_epoch(record, row)

    def on_epoch(progress: checkpoint.Progress) -> None:
        write_history(paths.REPORTS / "history.csv", progress.history)
        keep_epoch(record, progress.history[-1])

    model = phases.build(parameters, dataset)
    fitting.fit(phases.phases(model, parameters, dataset), folder, progress, on_epoch)
    write_history(paths.REPORTS / "history.csv", progress.history)
    saving.save_model(model, paths.MODEL_FILE)
    finish(record, dataset, progress.seconds)
    resume.forget(folder)


if __name__ == "__main__":
    run_stage("train", main, __doc__, tracking.record_failure)
