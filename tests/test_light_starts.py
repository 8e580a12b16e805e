"""What starts without the seconds that TensorFlow's and MLflow's imports take."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import REPOSITORY, set_parameters

HEAVY = ("tensorflow", "jax", "torch", "keras", "mlflow", "pandas", "sklearn", "ray")
NO_ARGUMENTS = ("tools.dvc_plots", "tools.repair", "tools.summary", "tools.verify")
PROGRAMS = sorted(
    f"{room}.{path.stem}"
    for room in ("stages", "tools", "benchmarks")
    for path in (REPOSITORY / room).glob("*.py")
    if '__name__ == "__main__"' in path.read_text(encoding="utf-8")
)


def started(name: str, *arguments: str) -> list[str]:
    """What `python -m NAME` prints, and in the last line what of HEAVY it imported."""
    code = (
        f"import sys, runpy; sys.argv = {[name, *arguments]}\n"
        f"try: runpy.run_module('{name}', run_name='__main__')\n"
        "except SystemExit: pass\n"
        f"print([m for m in {HEAVY} if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    return [*result.stderr.splitlines(), *result.stdout.splitlines()]


@pytest.mark.parametrize("name", [name for name in PROGRAMS if name not in NO_ARGUMENTS])
def test_help(name, workspace):
    lines = started(name, "--help")
    assert lines[0].startswith(f"usage: python -m {name}")
    assert lines[-1] == "[]"


def test_every_room_has_programs():
    assert {"stages.train", "tools.sweep", "benchmarks.bench", *NO_ARGUMENTS} <= set(PROGRAMS)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"epochs": -1}, "params: params.yaml: epochs: "),
        ({"model": "vgg_16"}, "params: model: vgg_16: unknown model; did you mean vgg16?"),
        ({"dtype": "float16"}, "params: params.yaml: dtype: "),
    ],
)
def test_a_wrong_parameter(changes, line, workspace: Path):
    set_parameters(**changes)
    lines = started("stages.params")
    assert lines[0].startswith(line)
    assert lines[-1] == "[]"
