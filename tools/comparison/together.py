"""MLflow's runs and DVC's experiments as one list, and what differs between them."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import PurePosixPath, PureWindowsPath

from pipeline.errors import PipelineError, did_you_mean
from pipeline.parameters.schema import Parameters
from tools.runs.experiments import Experiment
from tools.runs.run import Run, setting


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


def differing(runs: Sequence[Run]) -> tuple[list[str], dict[str, str]]:
    """The parameters that differ between the runs, and the others with their one value.

    Both in the order of params.yaml. A run that failed before its parameters
    were known does not count; one that lacks a parameter differs in it.
    """
    known = [run.parameters for run in runs if run.parameters]
    names = dict.fromkeys(name for parameters in known for name in parameters)
    order = list(Parameters.model_fields)
    ranked = sorted(names, key=lambda name: order.index(name) if name in order else len(order))
    unlike = [name for name in ranked if len({values.get(name) for values in known}) > 1]
    return unlike, {name: shown(known[0][name]) for name in ranked if name not in unlike}


def shown(value: str) -> str:
    """A parameter's value for a reader: of a path on this machine its last name, – for nothing."""
    if value in ("null", "[]"):
        return "–"
    for path in (PurePosixPath(value), PureWindowsPath(value)):
        if path.is_absolute():
            return path.name
    return value


def same_setting(run: Run, runs: Sequence[Run]) -> list[Run]:
    """The finished runs that differ from this one in the seed alone, one (the newest) a seed."""
    found: dict[str, Run] = {}
    for other in runs:
        if "test_accuracy" in other.metrics and setting(other) == setting(run):
            found.setdefault(other.parameters.get("seed", ""), other)
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
