"""Both keepers of runs taken together: MLflow's store and DVC's experiments."""

import contextlib
from collections.abc import Callable, Iterable, Sequence

from pipeline.errors import PipelineError, did_you_mean
from pipeline.runtime.stage import say
from pipeline.tracking.sqlite import StoreError
from pipeline.tracking.store import Store
from tools.runs import recorded
from tools.runs.experiments import Experiment, list_experiments, model_digest, read_experiment
from tools.runs.run import Run, setting


def all_runs() -> tuple[list[Run], str]:
    """All runs, the newest first; and why MLflow's are not among them, '' if they are.

    Raises:
        PipelineError: there are none; if MLflow's store cannot be used and
            DVC has none either, this says what to do about the store.
    """
    found: list[Run] = []
    problem = ""
    try:
        found = recorded.read_runs(recorded.open_store())
    except StoreError as error:
        problem = str(error)
    joined = join(found, list_experiments(), read_experiment)
    if not joined:
        raise PipelineError(problem or "there is no run yet; `make repro` makes the first")
    return joined, problem


class Reader:
    """Reads experiments as DVC has them, with what MLflow alone knows: the seconds of all
    epochs, those before a kill too."""

    def __init__(self) -> None:
        self._store: Store | None = None
        self._opened = False

    def read(self, experiment: Experiment) -> Run:
        run = read_experiment(experiment)
        if not self._opened:
            self._opened = True
            with contextlib.suppress(StoreError):  # none, or none to be read: DVC knows enough
                self._store = recorded.open_store()
        if self._store is not None:
            try:
                figures = recorded.figures_of_model(self._store, model_digest(experiment))
                run.metrics |= {k: v for k, v in figures.items() if k.startswith("train_")}
            except FileNotFoundError:
                pass
            except Exception as error:  # a store that breaks must not hide the results
                say("mlflow", f"no training times: {type(error).__name__}")
                self._store = None
        return run


def join(
    runs: Sequence[Run],
    experiments: Iterable[Experiment],
    read: Callable[[Experiment], Run],
) -> list[Run]:
    """Each training once, the newest first.

    A DVC experiment belongs to the runs that carry its name, and is the commit of the
    newest of them. One that DVC restored from its run cache has no run of its
    own: its name joins the run with the same parameters, data and outcome.
    Any other is read from DVC (`read`) and stands for itself.
    """
    joined = list(runs)
    by_name: dict[str, Run] = {}
    for run in joined:
        for name in run.experiments:
            by_name.setdefault(name, run)
    for experiment in experiments:
        if experiment.name in by_name:
            by_name[experiment.name].commit = experiment.commit
            continue
        alone = read(experiment)
        twin = next((run for run in runs if _same(run, alone)), None)
        if twin:
            twin.experiments.append(experiment.name)
        else:
            joined.append(alone)
    return sorted(joined, key=lambda run: -run.started)


def _same(run: Run, other: Run) -> bool:
    one, two = run.results.outcome, other.results.outcome
    return (
        one is not None
        and two is not None
        and run.parameters == other.parameters
        and run.data_digest == other.data_digest
        and one.images == two.images
        and bool((one.right == two.right).all())
    )


def same_setting(run: Run, runs: Sequence[Run]) -> list[Run]:
    """The finished runs that differ from this one in seed and fold alone, of each the newest."""
    found: dict[tuple[str, str], Run] = {}
    for other in runs:
        if "test_accuracy" in other.metrics and setting(other) == setting(run):
            repeat = other.parameters.get("seed", ""), other.parameters.get("fold", "")
            found.setdefault(repeat, other)
    return list(found.values())


def find(name: str, runs: Sequence[Run]) -> Run:
    """The newest run of this name, DVC experiment's name, or id.

    Raises:
        PipelineError: there is none.
    """
    for run in runs:
        if name in (run.id, run.name, *run.experiments):
            return run
    known = dict.fromkeys(other for run in runs for other in (run.name, *run.experiments))
    raise PipelineError(f"{name}: no such run{did_you_mean(name, known)}")
