"""A search by Optuna: each trial an experiment, hopeless ones ended early.

The study lies in .state/optuna.db. Its value is the accuracy on the validation
images; the test images have no say in it. Optuna's TPE sampler draws the
parameters; a trial whose best epoch so far is below the median of the others'
at that epoch is ended (the median pruner).
"""

from collections.abc import Mapping
from typing import Any

import optuna
from optuna.trial import FrozenTrial, Trial, TrialState

from pipeline.errors import PipelineError
from pipeline.runtime import paths
from pipeline.runtime.stage import say
from tools.experiments import pruned
from tools.experiments.engine import End, Ended, Rows
from tools.experiments.experiment import Experiment
from tools.experiments.runner import Runner
from tools.experiments.space import Space
from tools.runs.run import Run

EXPERIMENT = "experiment"  # the attribute of a trial that names its experiment
COMMIT = "commit"
ASKED = "asked"
PRUNED = "pruned"


def open_study(space: Space) -> optuna.Study:
    """The search's study in .state/optuna.db, made if it is not there.

    Raises:
        PipelineError: a study of this name has other values to choose from.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage = paths.state() / "optuna.db"
    storage.parent.mkdir(parents=True, exist_ok=True)
    search = space.search
    study = optuna.create_study(
        storage=f"sqlite:///{storage}",
        study_name=space.name,
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
    if study.user_attrs.get(ASKED, space.asked()) != space.asked():
        raise PipelineError(
            f"{space.name}: its defaults or its space were others when the study began; "
            "give the search another name"
        )
    study.set_user_attr(ASKED, space.asked())
    return study


def tune(space: Space, runner: Runner) -> optuna.Study:
    """Run trials until there are `search.trials` of them, failed ones counted."""
    study = open_study(space)
    _retry_stopped(study)
    trials = space.search.trials
    done = _ended(study)
    if done:
        others = sum(trial.user_attrs.get(COMMIT) != runner.commit for trial in done)
        words = f", {others} of them of another commit; they count" if others else ""
        say("tune", f"{len(done)} of {trials} trials are done already{words}")
    left = trials - len(done)
    runner.drive(_Trials(study, space, runner.commit, left), left)
    return study


class _Trials:
    """A study's trials as a source of experiments."""

    def __init__(self, study: optuna.Study, space: Space, commit: str, left: int) -> None:
        self._study = study
        self._space = space
        self._commit = commit
        self._left = left
        self._running: dict[str, Trial] = {}
        self._reported: dict[str, int] = {}

    def ask(self) -> Experiment | None:
        if self._left <= 0:
            return None
        self._left -= 1
        trial = self._study.ask()
        name = trial.user_attrs.get(EXPERIMENT) or f"{self._space.name}-{trial.number:03}"
        trial.set_user_attr(EXPERIMENT, name)
        trial.set_user_attr(COMMIT, self._commit)
        parameters = self._space.draw(trial)
        self._running[name], self._reported[name] = trial, 0
        say("tune", f"{name}: {drawn(trial.params)}")
        return Experiment(name, name, parameters)

    def watch(self, experiment: Experiment, rows: Rows) -> End | None:
        """Reports each epoch to Optuna as it appears, and asks whether to end the trial."""
        trial, reported = self._running[experiment.name], self._reported[experiment.name]
        if len(rows) <= reported:  # fewer: begun again on another node
            return None
        for epoch, row in enumerate(rows[reported:], reported + 1):
            trial.report(float(row["val_accuracy"]), epoch)
        self._reported[experiment.name] = len(rows)
        if not trial.should_prune():
            return None
        return End(
            f"{PRUNED} after epoch {len(rows)}: validation accuracy "
            f"{float(rows[-1]['val_accuracy']):.4f}, no epoch above the median of the others",
            for_good=True,
        )

    def tell(self, experiment: Experiment, ended: Ended, run: Run | None) -> None:
        trial = self._running.pop(experiment.name)
        failure = ended.failure
        value = run.validation_accuracy if run else None
        if run and value is None:
            failure = "no validation accuracy in its history"
        if failure is None:
            self._study.tell(trial, value)
            words = f"validation accuracy {value:.4f}"
        elif failure.startswith(PRUNED):
            pruned.mark(experiment.name, failure)
            self._study.tell(trial, state=TrialState.PRUNED)
            words = failure
        else:
            trial.set_user_attr("failure", failure)
            self._study.tell(trial, state=TrialState.FAIL)
            words = f"failed: {failure}"
        say("tune", f"{experiment.name}: {words} ({ended.seconds:.0f} s)")


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


def drawn(params: Mapping[str, Any]) -> str:
    """The values that a trial drew, in words."""
    return ", ".join(
        f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}"
        for key, value in params.items()
    )
