"""What MLflow is told of a training: at its start, after each epoch, at its end.

What the store does not take at the end is kept in .state/mlflow, under the model's digest: the
stage `report` writes it when the store can be used again (`catch_up`).
"""

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.parameters.stages import ReportParameters, TrainParameters, code_of_all
from pipeline.runtime import files, paths
from pipeline.runtime.arrays import load_array
from pipeline.runtime.resume import ABANDONED_SECONDS
from pipeline.runtime.stage import say
from pipeline.tracking.record import Record
from pipeline.tracking.runs import known_scores, model_digest, start_run
from pipeline.tracking.store import open_store, reopened


@dataclass(frozen=True)
class Account:
    """All that is told of a training: what it ran on (see `describe`), a row an epoch, the
    seconds of all epochs, the data set as data/prepared/dataset.json has it."""

    parameters: dict[str, Any]
    tags: dict[str, str]
    history: Sequence[Mapping[str, Any]]
    seconds: float
    dataset: dict[str, Any]


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


def show_first_batch(record: Record, classes: list[str]) -> None:
    """Log data/first_batch.npz as a picture: in MLflow's page a wrong augmentation is seen before
    the first epoch ends."""
    if record.store is None:
        return
    from pipeline.figures.first_batch import first_batch_figure, seen_first

    with np.load(paths.FIRST_BATCH, allow_pickle=False) as found:
        seen = seen_first(found["images"], found["labels"])
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "first_batch.png"
        picture.write_bytes(first_batch_figure(seen, classes))
        record.log_artifact(picture)


def keep_epochs(record: Record, history: Sequence[Mapping[str, Any]]) -> None:
    """Log the rows of the history that are not in the run: the newest, and what was missed."""
    for row in history:
        named = {name: value for name, value in row.items() if name not in ("epoch", "phase")}
        record.log_epoch(row["epoch"], named)


def finish(record: Record, account: Account) -> None:
    """Log what was missed, the trained model and its history; keep it where that fails."""
    if record.run_id is None and reopened():  # the store could not be used at the start
        record = start_run(account.parameters, account.tags)
    _tell(record, account)
    note = _note(model_digest())
    if record.whole:
        note.unlink(missing_ok=True)
        return
    files.write_json(note, {"run_id": record.run_id, "account": asdict(account)})
    if record.run_id is not None:
        say("mlflow", "the record has gaps; the stage report fills them, if the store is back")


def catch_up() -> None:
    """Write what an earlier process could not of the training of the workspace's model."""
    for old in _note("*").parent.glob("*.json"):
        if time.time() - old.stat().st_mtime > ABANDONED_SECONDS:
            old.unlink(missing_ok=True)
    note = _note(model_digest())
    if not note.exists() or open_store() is None:
        return
    kept = files.read_json(note)
    account = Account(**kept["account"])
    record = start_run(account.parameters, account.tags, kept["run_id"])
    _tell(record, account)
    if record.whole:
        note.unlink()


def _tell(record: Record, account: Account) -> None:
    record.again()
    keep_epochs(record, account.history)
    digest, dataset = model_digest(), account.dataset
    record.log_metrics(known_scores(digest, dataset["digest"]))
    record.log_tags({"model_digest": digest})
    record.log_metrics({"train_seconds": account.seconds})
    record.log_artifact(paths.REPORTS / "history.csv")
    example = load_array(paths.PREPARED / "test_images.npy")[:1]  # a batch of one, uint8
    record.log_model(paths.MODEL_FILE, example, dataset["classes"], dataset.get("resize"))
    record.finish()


def _note(digest: str) -> Path:
    return paths.state() / "mlflow" / f"{digest}.json"
