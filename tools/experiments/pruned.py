"""What is left to do for a trial that was ended early: its MLflow run, its resume files."""

import shutil
from pathlib import Path

from pipeline.runtime import paths
from pipeline.runtime.stage import say
from tools.experiments import processes


def mark(experiment: str, reason: str, pruned: bool = True) -> None:
    """The experiment's newest MLflow run stands as KILLED, with the reason as its failure;
    `pruned`: and as one that nobody goes on with."""
    from pipeline.tracking.store import open_store

    store = open_store()
    if store is None:
        return
    try:
        found = store.client.search_runs(
            [store.experiment_id],
            f"tags.dvc_experiment = '{experiment}'",
            order_by=["attributes.start_time DESC"],
            max_results=1,
        )
        for run in found:
            for key, value in {"failure": reason, **({"pruned": "true"} if pruned else {})}.items():
                store.client.set_tag(run.info.run_id, key, value)
            store.client.set_terminated(run.info.run_id, "KILLED", end_time=run.info.end_time)
    except Exception as error:  # the search goes on without the record
        say("mlflow", f"{experiment} is not marked as ended: {type(error).__name__}")


def forget_resume_files(folder: Path) -> None:
    """Remove the resume folder of the stage that runs in `folder`; nobody will go on from it.

    The stage is stopped first, with its record put in order. Its lock names
    its process, and has the same name as its resume folder.
    """
    running = processes.below(folder)
    identifiers = {str(process.pid) for process in running}
    processes.end(running)
    for holder in (paths.state() / "locks").glob("train-*.pid"):
        if holder.read_text().strip() in identifiers:
            shutil.rmtree(paths.state() / "resume" / holder.stem, ignore_errors=True)
