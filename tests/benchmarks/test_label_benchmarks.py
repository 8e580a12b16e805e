"""What is counted of changed labels, and of the published lists of wrong ones."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import label_errors, label_noise
from benchmarks.label_workspace import overrides
from pipeline.errors import PipelineError
from pipeline.runtime import files
from tools.labels.doubts import Doubts
from tools.labels.images import Images


def made() -> Images:
    labels = np.arange(300) % 3
    parts = ["train"] * 200 + ["validation"] * 100
    dataset = {"classes": ["a", "b", "c"]}
    names = [str(row) for row in range(300)]
    return Images(dataset, {"train": 200, "validation": 100}, names, parts, labels, labels)


def test_labels_are_changed_by_the_seed_in_the_training_part_alone() -> None:
    clean = made()
    noisy = label_noise.corrupted(clean, 0.1, 5)
    rows = np.flatnonzero(noisy != clean.labels)
    assert len(rows) == 20
    assert rows.max() < 200
    assert (label_noise.corrupted(clean, 0.1, 5) == noisy).all()
    assert (label_noise.corrupted(clean, 0.1, 6) != noisy).any()
    # 15 of the 20, one that was right, and one of the validation part, which does not count.
    right = int(np.flatnonzero(noisy[:200] == clean.labels[:200])[0])
    listed = np.array([*rows[:15], right, 250])
    none = np.zeros(len(listed))
    found = Doubts(listed, clean.labels[listed], none, none, listed)
    scored = label_noise.scored(clean, noisy, found, 5, 0.5)
    assert (scored.changed, scored.listed, scored.hits, scored.right_suggestions) == (
        20,
        16,
        15,
        15,
    )
    assert (scored.precision, scored.recall) == (15 / 16, 0.75)


def test_a_published_list_is_read_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    votes = {3: 5, 4: 2, 7: 0, 9: 3}
    files.write_json(path, [{"id": row, "mturk": {"given": given}} for row, given in votes.items()])
    confirmed = label_errors.read_list(path)
    assert confirmed == {4, 7}
    counted = label_errors.scored([7, 1, 2, 4, 5], confirmed, 3)
    assert (counted["among_them"], counted["confirmed"], counted["median_place"]) == (1, 2, 2)
    files.write_json(path, [1])
    with pytest.raises(PipelineError, match="no list of cleanlab/label-errors"):
        label_errors.read_list(path)


def test_words_are_parameters() -> None:
    assert overrides(["epochs=3", "dropout=[0.1, 0.2]", "model=vgg16"]) == {
        "epochs": 3,
        "dropout": [0.1, 0.2],
        "model": "vgg16",
    }
    with pytest.raises(PipelineError, match="epochs: expected key=value"):
        overrides(["epochs"])
