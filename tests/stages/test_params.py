"""The stage `params` as a process: its files, its errors, what it does not import."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.runtime import files, paths
from tests.support import run_stage, set_parameters

pytestmark = pytest.mark.usefixtures("workspace")


def test_it_writes_a_file_for_each_stage():
    assert run_stage("params").returncode == 0
    names = sorted(path.stem for path in paths.PARAMS.iterdir())
    assert names == [
        "download",
        "evaluate",
        "features",
        "prepare",
        "report",
        "train",
        "twins",
        "weights",
    ]
    whole = files.read_json(paths.PARAMS / "report.json")
    assert whole["dropout"] == [0.25, 0.2]
    download = files.read_json(paths.PARAMS / "download.json")
    assert download == {"code": download["code"], "dataset": "mnist_5k"}
    codes = [files.read_json(path)["code"] for path in paths.PARAMS.iterdir()]
    assert all(re.fullmatch("[0-9a-f]{64}", code) for code in codes)
    assert len(set(codes)) == len(names)


def test_an_error_is_one_line_and_leaves_nothing():
    set_parameters(epochs="abc")
    before = sorted(Path().rglob("*"))
    result = run_stage("params")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == ("params: params.yaml: epochs: expected a whole number, not 'abc'\n")
    assert sorted(Path().rglob("*")) == before


def test_help_is_the_docstring_and_imports_nothing_heavy():
    code = (
        "import sys, runpy; sys.argv = ['params', '--help']\n"
        "try: runpy.run_module('stages.params', run_name='__main__')\n"
        "except SystemExit: pass\n"
        "print([m for m in ('tensorflow', 'keras', 'mlflow', 'pandas') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout
    assert "Check params.yaml as a whole" in out
    assert out.endswith("[]\n")
