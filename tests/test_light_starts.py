"""What starts without the seconds that TensorFlow's and MLflow's imports take."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import REPOSITORY, set_parameters

HEAVY = ("tensorflow", "jax", "torch", "keras", "mlflow", "pandas", "sklearn")
NO_ENTRY_POINTS = ("__init__", "backend", "errors", "summary", "verify")
ENTRY_POINTS = sorted(
    path.stem for path in (REPOSITORY / "stages").glob("*.py") if path.stem not in NO_ENTRY_POINTS
)


def started(name: str, *arguments: str) -> list[str]:
    """What `python -m stages.NAME` prints, and in the last line what of HEAVY it imported."""
    code = (
        f"import sys, runpy; sys.argv = {[name, *arguments]}\n"
        f"try: runpy.run_module('stages.{name}', run_name='__main__')\n"
        "except SystemExit: pass\n"
        f"print([m for m in {HEAVY} if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    return [*result.stderr.splitlines(), *result.stdout.splitlines()]


@pytest.mark.parametrize("name", ENTRY_POINTS)
def test_help(name, workspace):
    lines = started(name, "--help")
    assert lines[0].startswith(f"usage: python -m stages.{name}")
    assert lines[-1] == "[]"


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"epochs": -1}, "params: params.yaml: epochs: "),
        ({"model": "vgg17"}, "params: model: vgg17: unknown model; did you mean vgg16?"),
        ({"dtype": "float16"}, "params: params.yaml: dtype: "),
    ],
)
def test_a_wrong_parameter(changes, line, workspace: Path):
    set_parameters(**changes)
    lines = started("params")
    assert lines[0].startswith(line)
    assert lines[-1] == "[]"
