"""How the runs look in MLflow's pages: as training runs, with the columns that matter first.

Without this the experiment opens as one of GenAI, and its list of runs shows
neither an accuracy nor a parameter until the reader adds the columns. The
shared view is what MLflow's own 'Share' writes: a tag of the experiment that
the address names.
"""

import json
from typing import Any

VIEW = "pipeline"
COLUMNS = (
    "attributes.`Dataset`",
    "metrics.`test_accuracy`",
    "metrics.`test_f1`",
    "metrics.`val_accuracy`",
    "metrics.`train_seconds`",
    "params.`model`",
    "params.`dropout`",
    "params.`epochs`",
    "params.`batch_size`",
    "params.`learning_rate`",
    "params.`seed`",
    "tags.`failure`",
)


def experiment_tags() -> dict[str, str]:
    """The experiment's tags that MLflow's pages read."""
    view = {"selectedColumns": list(COLUMNS)}
    return {
        "mlflow.experimentKind": "custom_model_development",
        f"mlflow.sharedViewState.{VIEW}": json.dumps(view),
        "mlflow.note.content": "One run of the pipeline is one run here.",
    }


def prepare(client: Any, experiment_id: str) -> None:
    """Give an experiment these tags, whoever made it."""
    known = client.get_experiment(experiment_id).tags
    for key, value in experiment_tags().items():
        if known.get(key) != value:
            client.set_experiment_tag(experiment_id, key, value)


def address(server: str, experiment_id: str) -> str:
    """The address of the list of runs."""
    query = f"workflowType=machine_learning&viewStateShareKey={VIEW}"
    return f"{server}/#/experiments/{experiment_id}/runs?{query}"
