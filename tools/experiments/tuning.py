"""A search by Optuna: each trial an experiment, hopeless ones ended early.

The study lies in .state/optuna.db. Its value is the accuracy on the validation
images; the test images have no say in it. Optuna's TPE sampler draws the
parameters; a trial whose best epoch so far is below the median of the others'
at that epoch is ended (the median pruner).
"""

import csv
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, Trial, TrialState

from pipeline.errors import PipelineError
from pipeline.runtime import paths
from pipeline.runtime.stage import say
from tools.experiments import pruned
from tools.experiments.experiment import Experiment
from tools.experiments.results import HISTORY
from tools.experiments.runner import Runner
from tools.experiments.searchfile import Search
from tools.experiments.worker import Worker

EXPERIMENT = "experiment"  # the attribute of a trial that names its experiment
COMMIT = "commit"
PRUNED = "pruned"


def open_study(search: Search) -> optuna.Study:
    """The search's study in .state/optuna.db, made if it is not there.

    Raises:
        PipelineError: a study of this name has other values to choose from.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage = paths.state() / "optuna.db"
    storage.parent.mkdir(parents=True, exist_ok=True)
    study = optuna.create_study(
        storage=f"sqlite:///{storage}",
        study_name=search.name,
        direction="maximize",
        load_if_exists=True,
        pruner=optuna.pruners.MedianPruner(
            n_startup_trials=search.startup_trials, n_warmup_steps=search.prune_after
        ),
    )
    # Another seed after each start: the first draws would be drawn again.
    study.sampler = optuna.samplers.TPESampler(
        seed=search.seed + len(study.trials), n_startup_trials=max(1, search.startup_trials)
    )
    asked = {"defaults": repr(search.defaults), "space": repr(search.space)}
    for key, value in asked.items():
        if study.user_attrs.get(key, value) != value:
            raise PipelineError(
                f"{search.name}: its {key} was another when the study began; "
                "give the search another name"
            )
        study.set_user_attr(key, value)
    return study


def tune(search: Search, runner: Runner) -> optuna.Study:
    """Run trials until there are `search.trials` of them, failed ones counted."""
    study = open_study(search)
    _retry_stopped(study)
    done = _ended(study)
    if done:
        others = sum(trial.user_attrs.get(COMMIT) != runner.commit for trial in done)
        words = f", {others} of them of another commit; they count" if others else ""
        say("tune", f"{len(done)} of {search.trials} trials are done already{words}")
    left = search.trials - len(done)
    asking = threading.Lock()

    def work(folder: Path) -> None:
        nonlocal left
        worker = runner.worker(folder)
        while True:
            with asking:
                if left <= 0 or runner.stopping():
                    return
                left -= 1
                trial = study.ask()
                values = search.draw(trial)
                name = trial.user_attrs.get(EXPERIMENT) or f"{search.name}-{trial.number:03}"
                trial.set_user_attr(EXPERIMENT, name)
                trial.set_user_attr(COMMIT, runner.commit)
            _run(study, trial, Experiment(name, name, _parameters(runner, values)), runner, worker)

    if left > 0:
        runner.in_parallel(work, min(runner.jobs, left))
    return study


def _run(
    study: optuna.Study, trial: Trial, experiment: Experiment, runner: Runner, worker: Worker
) -> None:
    say("tune", f"{experiment.name}: {drawn(trial.params)}")
    ended = runner.one(worker, experiment, _watcher(study, trial))
    if runner.stopping():
        return  # stays RUNNING in the study: the next start goes on with it
    if ended.failure is None:
        rows = read_history(worker.folder / HISTORY)
        value = validation_accuracy(rows, experiment.parameters["best_weights"])
        study.tell(trial, value)
        words = f"validation accuracy {value:.4f}"
    elif ended.failure.startswith(PRUNED):
        pruned.mark(experiment.name, ended.failure)
        study.tell(trial, state=TrialState.PRUNED)
        words = ended.failure
    else:
        trial.set_user_attr("failure", ended.failure)
        study.tell(trial, state=TrialState.FAIL)
        words = f"failed: {ended.failure}"
    say("tune", f"{experiment.name}: {words} ({ended.seconds:.0f} s)")


def _watcher(study: optuna.Study, trial: Trial) -> Callable[[Path], str | None]:
    """Reports each epoch to Optuna as it appears in history.csv, and asks whether to end."""
    reported = 0

    def watch(folder: Path) -> str | None:
        nonlocal reported
        rows = read_history(folder / HISTORY)
        if len(rows) == reported:
            return None
        for row in rows[reported:]:
            reported += 1
            trial.report(float(row["val_accuracy"]), reported)
        if trial.should_prune():
            pruned.forget_resume_files(folder)
            return (
                f"{PRUNED} after epoch {reported}: validation accuracy "
                f"{float(rows[-1]['val_accuracy']):.4f}, no epoch above the median of the others"
            )
        return None

    return watch


def read_history(path: Path) -> list[dict[str, str]]:
    """The rows of a history.csv; none while there is no such file."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    except FileNotFoundError:
        return []


def validation_accuracy(history: Sequence[dict[str, str]], best_weights: bool) -> float:
    """The accuracy on the validation images of the weights that were kept.

    They are the last epoch's, or with `best_weights` those of the epoch with
    the smallest validation loss.
    """
    kept = min(history, key=lambda row: float(row["val_loss"])) if best_weights else history[-1]
    return float(kept["val_accuracy"])


def _retry_stopped(study: optuna.Study) -> None:
    """Trials that a stopped search left RUNNING are tried again, under their own name."""
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        name = trial.user_attrs.get(EXPERIMENT)
        if name:
            study.enqueue_trial(trial.params, user_attrs={EXPERIMENT: name})
            study.set_user_attr(f"retried {trial.number}", name)
        study.tell(trial.number, state=TrialState.FAIL)


def _ended(study: optuna.Study) -> list[FrozenTrial]:
    """The trials that count: those that were stopped and tried again do not."""
    states = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
    stopped = {key for key in study.user_attrs if key.startswith("retried ")}
    return [
        trial
        for trial in study.get_trials(deepcopy=False, states=states)
        if EXPERIMENT in trial.user_attrs and f"retried {trial.number}" not in stopped
    ]


def _parameters(runner: Runner, values: dict[str, Any]) -> dict[str, Any]:
    return runner.base.changed("tune", values)


def drawn(params: Mapping[str, Any]) -> str:
    """The values that a trial drew, in words."""
    return ", ".join(
        f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}"
        for key, value in params.items()
    )
