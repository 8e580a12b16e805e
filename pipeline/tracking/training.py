"""What MLflow is told of a training: at its start, after each epoch, at its end."""

from collections.abc import Mapping
from typing import Any

from pipeline.parameters.stages import ReportParameters, TrainParameters, code_of_all
from pipeline.runtime import files, paths
from pipeline.runtime.arrays import load_array
from pipeline.tracking.record import Record
from pipeline.tracking.runs import known_scores, model_digest


def describe(
    parameters: TrainParameters, dataset: Mapping[str, Any], environment: Mapping[str, str]
) -> tuple[dict[str, Any], dict[str, str]]:
    """The run's parameters, all of them resolved, and the tags that say what it ran on."""
    tested = [paths.PREPARED / f"test_{kind}.npy" for kind in ("images", "labels")]
    tags = {
        **environment,
        "code_digest": code_of_all(),
        "data_digest": dataset["digest"],
        # Runs that were tested on the same images can be compared, whatever they trained on.
        "test_digest": f"sha256:{files.sha256(*tested)}",
    }
    if parameters.pretrained_weights == "imagenet":
        from pipeline.pretrained import imagenet

        tags["weights_from"] = imagenet.carrier(parameters.model) or "DVC's cache"
    return ReportParameters.read().resolved, tags


def keep_epoch(record: Record, row: Mapping[str, Any]) -> None:
    """Log a row of the history."""
    named = {name: value for name, value in row.items() if name not in ("epoch", "phase")}
    record.log_epoch(row["epoch"], named)


def finish(record: Record, dataset: Mapping[str, Any], seconds: float) -> None:
    """Log the trained model and its history; `seconds` are those of all epochs."""
    digest = model_digest(paths.MODEL_FILE)
    record.log_metrics(known_scores(digest, dataset["digest"]))
    record.log_tags({"model_digest": digest})
    record.log_metrics({"train_seconds": seconds})
    record.log_artifact(paths.REPORTS / "history.csv")
    example = load_array(paths.PREPARED / "test_images.npy")[:1]  # a batch of one, uint8
    record.log_model(paths.MODEL_FILE, example, dataset["classes"], dataset.get("resize"))
    record.finish()
