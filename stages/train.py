"""Train the model on the prepared images.

Reads data/params/train.json, data/prepared, data/weights, data/features and
data/twins/dropped.json (training images that are left out).
Writes data/first_batch.npz (what it sees first), data/model/model.keras, which takes raw uint8
pixels, reference.npz beside it (what its answers are measured with, from the validation part),
and reports/history.csv, a row an epoch, as it goes. A killed run resumes after its
last finished epoch and ends with the same bytes as one that nobody killed.
"""

from pathlib import Path
from typing import Any

from pipeline import backend, tracking
from pipeline.datasets.dropped import dropped
from pipeline.errors import PipelineError
from pipeline.parameters.stages import TrainParameters
from pipeline.runtime import files, paths, resume
from pipeline.runtime.locks import one_at_a_time
from pipeline.runtime.stage import run_stage, say
from pipeline.tracking.training import Account, describe, finish, keep_epochs, show_first_batch

NO_VALIDATION = (
    "calibration: temperature is fitted on a validation part, and there is none; "
    "set validation_fraction above 0, or calibration to none"
)


def main() -> None:
    parameters = TrainParameters.read()
    dataset = files.read_json(paths.PREPARED / "dataset.json")
    if parameters.calibration != "none" and not sum(dataset["counts"]["validation"]):
        raise PipelineError(NO_VALIDATION)
    backend.choose(parameters.backend)
    backend.configure(
        parameters.seed, parameters.threads, parameters.deterministic, parameters.dtype
    )
    environment = backend.environment()
    folder = resume.resume_folder("train", parameters.model_dump(), dataset, environment, dropped())
    with one_at_a_time("train", "training", folder):
        _train(parameters, dataset, environment, folder)


def _train(
    parameters: TrainParameters,
    dataset: dict[str, Any],
    environment: dict[str, str],
    folder: Path,
) -> None:
    from pipeline.evaluation.measuring import measured
    from pipeline.networks import saving
    from pipeline.training import checkpoint, first_batch, fitting, phases, replicas
    from pipeline.training.history import write_history

    progress = checkpoint.read_progress(folder / fitting.CHECKPOINT) or checkpoint.Progress()
    if done := len(progress.history):
        say("train", f"resuming after epoch {done}, from a run that was stopped")
    described = describe(parameters, dataset, environment)
    record = tracking.start_run(*described, progress.run_id)
    progress.run_id = record.run_id
    if first_batch.write(parameters, dataset):
        show_first_batch(record, dataset["classes"])
    keep_epochs(record, progress.history)  # MLflow may have missed the last one

    def on_epoch(progress: checkpoint.Progress) -> None:
        write_history(paths.REPORTS / "history.csv", progress.history)
        keep_epochs(record, progress.history)

    progress = replicas.train(parameters, dataset, folder, progress, on_epoch)
    model = phases.build(parameters, dataset)
    fitting.fit(phases.phases(model, parameters, dataset), folder, progress, on_epoch)
    write_history(paths.REPORTS / "history.csv", progress.history)
    model = measured(model, phases.kept_maps(parameters), parameters.calibration != "none")
    saving.save_model(model, paths.MODEL_FILE)
    finish(record, Account(*described, progress.history, progress.seconds, dataset))
    resume.forget(folder)


if __name__ == "__main__":
    run_stage("train", main, __doc__, tracking.record_failure)
