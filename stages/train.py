"""Train the model on the prepared images.

Reads data/params/train.json, data/prepared, data/weights and data/features.
Writes data/model/model.keras, which takes raw uint8 pixels, and
reports/history.csv, a row an epoch, as it goes. A killed run goes on from its
last finished epoch and ends with the same bytes as one that nobody killed.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stages import backend
from stages.parameters.stages import TrainParameters
from stages.runtime import files, paths, resume
from stages.runtime.locks import exclusive
from stages.runtime.stage import run_stage, say
from stages.tracking import model_digest, recorder

# What decides the model's bytes: a change of it does not go on from an old checkpoint.
CODE = ("backend.py", "models", "train.py", "training")


def main() -> None:
    parameters = TrainParameters.read()
    dataset = files.read_json(paths.PREPARED / "dataset.json")
    backend.choose(parameters.backend)
    recorder.open_early()
    backend.configure(
        parameters.seed, parameters.threads, parameters.deterministic, parameters.dtype
    )
    environment = backend.environment()
    folder = resume.resume_folder("train", parameters.model_dump(), dataset, environment, code=CODE)
    workspace = hashlib.sha256(str(Path.cwd()).encode()).hexdigest()[:16]
    locks = paths.state() / "locks"
    with (
        exclusive(
            locks / f"workspace-{workspace}.lock", "train", "training in this folder", folder
        ),
        exclusive(locks / f"{folder.name}.lock", "train", "training the same experiment", folder),
    ):
        _train(parameters, dataset, environment, folder)


def _train(
    parameters: TrainParameters,
    dataset: dict[str, Any],
    environment: dict[str, str],
    folder: Path,
) -> None:
    from stages.models import saving
    from stages.training import checkpoint, fitting

    progress = checkpoint.read_progress(folder / fitting.CHECKPOINT)
    if progress:
        say("train", f"going on after epoch {len(progress.history)}, from a run that was stopped")
    else:
        progress = checkpoint.Progress()
    tested = [paths.PREPARED / f"test_{kind}.npy" for kind in ("images", "labels")]
    tags = {
        **environment,
        "data_digest": dataset["digest"],
        # Runs that were tested on the same images can be compared, whatever they trained on.
        "test_digest": f"sha256:{files.sha256(*tested)}",
    }
    if parameters.pretrained_weights == "imagenet":
        from stages.pretrained import imagenet

        tags["weights_from"] = imagenet.carrier() or "DVC's cache"
    record = recorder.start_run(
        files.read_json(paths.PARAMS / "report.json"), tags, resume=progress.run_id
    )
    progress.run_id = record.run_id
    for row in progress.history:  # MLflow may have missed the last one
        record.log_epoch(row["epoch"], _figures(row))

    def on_epoch(progress: checkpoint.Progress) -> None:
        write_history(paths.REPORTS / "history.csv", progress.history)
        row = progress.history[-1]
        record.log_epoch(row["epoch"], _figures(row))

    model = _build(parameters, dataset)
    fitting.fit(_phases(model, parameters, dataset), folder, progress, on_epoch)
    write_history(paths.REPORTS / "history.csv", progress.history)
    saving.save_model(model, paths.MODEL_FILE)
    digest = model_digest(paths.MODEL_FILE)
    record.log_metrics(recorder.known_scores(digest, dataset["digest"]))
    record.log_tags({"model_digest": digest})
    record.log_metrics({"train_seconds": progress.seconds})
    record.log_artifact(paths.REPORTS / "history.csv")
    record.log_model(paths.MODEL_FILE, _example(), dataset["classes"])
    record.finish()
    resume.forget(folder)


def _build(parameters: TrainParameters, dataset: dict[str, Any]) -> Any:
    """The whole network with its first weights: random, and the base's from data/weights."""
    from stages.models import build_model
    from stages.models.whitening import fit_whitening
    from stages.runtime.arrays import load_array

    height, width, channels = dataset["image_shape"]
    model = build_model(
        parameters.model,
        (height, width, channels),
        len(dataset["classes"]),
        dropout=parameters.dropout or None,
        activation=parameters.activation,
        normalization=dataset["normalization"],
        views=parameters.test_time_views,
        mirror=dataset["mirrored"],
    )
    fit_whitening(model, load_array(paths.PREPARED / "train_images.npy"))
    if parameters.pretrained_weights:
        from stages.pretrained.weights import load_into

        load_into(model, paths.WEIGHTS)
    return model


def _phases(model: Any, parameters: TrainParameters, dataset: dict[str, Any]) -> Iterator[Any]:
    """What is trained, one phase after the other.

    A network that starts from nothing has one phase. With a pretrained base
    the first trains the head; the second, if asked for, the layers from
    `fine_tune_from` on. Both run on the maps that the stage `features` has
    kept, where there are any, so that the frozen layers run once.
    """
    from stages.models.build import chain, single_view
    from stages.models.predicting import EVALUATION_BATCH
    from stages.models.presets import PRESETS
    from stages.runtime.arrays import load_array
    from stages.training.batches import Batches, balanced_weights
    from stages.training.fitting import Phase

    stop = None if single_view(model) is model else -1
    labels = {part: load_array(paths.PREPARED / f"{part}_labels.npy") for part in paths.PARTS}
    weights = balanced_weights(labels["train"]) if parameters.class_weights else None

    def phase(name: str, start: int, kept: str, epochs: int, learning_rate: float) -> Phase:
        source = f"{{}}_{kept}.npy"
        folder = paths.FEATURES
        if not (folder / source.format("train")).exists():
            folder, source, start = paths.PREPARED, "{}_images.npy", 0
        inputs = {
            part: load_array(folder / source.format(part)) for part in ("train", "validation")
        }
        validation = None
        if len(labels["validation"]):
            validation = Batches(inputs["validation"], labels["validation"], EVALUATION_BATCH)
        return Phase(
            name=name,
            model=chain(model, start, stop) if start else single_view(model),
            train=Batches(
                inputs["train"],
                labels["train"],
                parameters.batch_size,
                seed=parameters.seed,
                shuffle=True,
                augmentation=parameters.augmentation,
                mirror=dataset["mirrored"],
                class_weights=weights,
            ),
            validation=validation,
            epochs=epochs,
            optimizer=parameters.optimizer,
            weight_decay=parameters.weight_decay,
            learning_rate=learning_rate,
            learning_rate_schedule=parameters.learning_rate_schedule,
            warmup_epochs=parameters.warmup_epochs,
            label_smoothing=parameters.label_smoothing,
            early_stopping=parameters.early_stopping,
            best_weights=parameters.best_weights,
        )

    if not parameters.pretrained_weights:
        yield phase("train", 0, "images", parameters.epochs, parameters.learning_rate)
        return
    names = [layer.name for layer in model.layers]
    base = [layer.name for layer in PRESETS[parameters.model].base]
    for layer in model.layers:
        layer.trainable = layer.name not in base
    yield phase(
        "head", names.index(base[-1]) + 1, "maps", parameters.epochs, parameters.learning_rate
    )
    if parameters.fine_tune_from is None:
        return
    first = names.index(parameters.fine_tune_from)
    for layer in model.layers[first:]:
        layer.trainable = True
    assert parameters.fine_tune_epochs is not None
    assert parameters.fine_tune_learning_rate is not None
    yield phase(
        "fine_tune",
        first,
        "below",
        parameters.fine_tune_epochs,
        parameters.fine_tune_learning_rate,
    )


def write_history(path: Path, history: list[dict[str, Any]]) -> None:
    """Write a row an epoch; the column `phase` only where there is more than one."""
    names = list(history[0])
    if len({row["phase"] for row in history}) == 1:
        names.remove("phase")
    files.write_csv(path, names, ([row[name] for name in names] for row in history))


def _figures(row: dict[str, Any]) -> dict[str, float]:
    return {name: value for name, value in row.items() if name not in ("epoch", "phase")}


def _example() -> Any:
    """The first test image as a batch of one, uint8 (1, height, width, channels)."""
    from stages.runtime.arrays import load_array

    return load_array(paths.PREPARED / "test_images.npy")[:1]


if __name__ == "__main__":
    run_stage("train", main, __doc__, recorder.record_failure)
