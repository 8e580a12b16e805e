"""The stage `twins`: what it writes, and what it says."""

import numpy as np
import pytest

from pipeline.runtime import files, paths
from tests.pipeline.datasets.test_twins import changed, scenes
from tests.support import run_here, run_stage, set_parameters, snapshot, write_prepared

pytestmark = pytest.mark.usefixtures("workspace")


def ready(duplicates: str) -> None:
    set_parameters(duplicates=duplicates)
    assert run_stage("params").returncode == 0
    write_prepared(counts=(60, 30, 30), size=32, channels=3)
    images = scenes(120)
    images[100] = changed(images[7])  # the test image 10
    images[70] = changed(images[8])  # the validation image 10
    for part, rows in zip(paths.PARTS, np.split(images, [60, 90]), strict=True):
        np.save(paths.PREPARED / f"{part}_images.npy", rows)


@pytest.mark.parametrize(
    ("duplicates", "dropped", "says"),
    [
        ("warn", [], "twins: warning: 1 test image has a twin in another part: see the report"),
        (
            "drop-from-training",
            [7, 8],
            "twins: warning: 1 test image has a twin in another part: 2 training images left out",
        ),
    ],
)
def test_pairs_are_found_and_left_out_only_if_asked(duplicates, dropped, says):
    ready(duplicates)
    assert run_here("twins").out == [says]
    assert files.read_json(paths.TWINS / "dropped.json") == dropped
    found = files.read_json(paths.TWINS / "twins.json")
    assert found["pairs"] == {"train-test": 1, "train-validation": 1}
    assert found["tested"] == [10]
    first = snapshot(paths.TWINS)
    run_here("twins")
    assert snapshot(paths.TWINS) == first


def test_an_unknown_word_is_one_line():
    set_parameters(duplicates="drop")
    result = run_stage("params")
    assert result.returncode == 1
    assert result.stderr.startswith("params: params.yaml: duplicates: ")
    assert "drop-from-training" in result.stderr
    assert result.stderr.count("\n") == 1
