"""What differs between runs, and how a parameter is shown."""

from collections.abc import Sequence
from pathlib import PurePosixPath, PureWindowsPath

from pipeline.parameters.schema import Parameters
from tools.runs.run import Run


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
