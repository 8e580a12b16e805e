"""`tools.check_labels` from its entry point: the page, the file, and what a person decided."""

import csv
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import PipelineError
from pipeline.runtime import files, paths
from tests.support import run_here, set_parameters, write_prepared
from tools import check_labels

CHANGED = {"train": [4, 31, 50], "validation": [7], "test": [2]}


@pytest.fixture
def prepared(workspace: Path) -> Path:
    """Three classes, with features that tell them apart; five labels are wrong."""
    weights = workspace / "weights.h5"
    weights.write_bytes(b"")
    set_parameters(model="vgg16", pretrained_weights=str(weights), image_size=48)
    assert run_here("params").status == 0
    dataset = write_prepared(counts=(360, 120, 60))
    random = np.random.default_rng(1)
    means = 4 * random.uniform(size=(3, 8))  # as of rectified maps
    rows = []
    for part, count in (("train", 360), ("validation", 120), ("test", 60)):
        true = np.arange(count) % 3
        maps = np.maximum(means[true] + 0.1 * random.normal(size=(count, 8)), 0)
        np.save(
            paths.FEATURES / f"{part}_maps.npy",
            np.tile(maps[:, None, None], (1, 2, 2, 1)).astype("float32"),
        )
        labels = true.copy()
        labels[CHANGED[part]] = (labels[CHANGED[part]] + 1) % 3
        np.save(paths.PREPARED / f"{part}_labels.npy", np.eye(3, dtype="float32")[labels])
        rows += [(part, i, f"{part}{i}.png", f"class {label}") for i, label in enumerate(labels)]
    files.write_csv(paths.PREPARED / "split.csv", ("part", "index", "name", "label"), rows)
    files.write_json(paths.FEATURES / "features.json", {"model": "vgg16"})
    assert sum(dataset["counts"]["train"]) == 360
    return workspace


def lines() -> list[dict[str, str]]:
    with check_labels.ISSUES.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_wrong_labels_are_listed_and_shown(
    prepared: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(paths.PREPARED.rglob("*")), files.sha256(paths.PREPARED / "split.csv")
    check_labels.main(["--test"])
    assert "5 labels of 540 are probably wrong; nothing was changed" in capsys.readouterr().out
    found = {line["name"]: line for line in lines()}
    expected = {f"{part}{row}.png" for part, rows in CHANGED.items() for row in rows}
    assert set(found) == expected
    line = found["train4.png"]
    assert (line["part"], line["label"], line["suggested"]) == ("train", "class 2", "class 1")
    assert (line["action"], found["test2.png"]["action"]) == ("relabel", "keep")
    html = check_labels.PAGE.read_text(encoding="utf-8")
    assert "train4.png" in html
    assert "1 of them are in the test part" in html
    assert "http" not in html.replace("http-equiv", "")
    assert (sorted(paths.PREPARED.rglob("*")), files.sha256(paths.PREPARED / "split.csv")) == before
    check_labels.main([])
    assert {line["part"] for line in lines()} == {"train", "validation"}


def test_an_edited_file_is_kept_and_what_is_decided_is_not_asked_again(
    prepared: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    check_labels.main([])
    check_labels.main([])
    assert "label_issues.previous.csv" not in capsys.readouterr().out
    edited = [{**line, "action": "keep"} for line in lines() if line["name"] == "train4.png"]
    text = [",".join(edited[0]), *(",".join(line.values()) for line in edited)]
    files.write_text(check_labels.ISSUES, "\n".join(text) + "\n")
    files.write_text(paths.LISTS / "fixes.csv", "\n".join(text) + "\n")
    set_parameters(label_fixes="fixes.csv")
    assert run_here("params").status == 0
    check_labels.main([])
    assert "it is label_issues.previous.csv now" in capsys.readouterr().out
    assert [line["action"] for line in lines() if line["name"] == "train4.png"] == ["keep"]
    assert len(lines()) == 4
    assert "train4.png" not in check_labels.PAGE.read_text(encoding="utf-8")


def test_what_cannot_be_checked_gets_one_line(workspace: Path) -> None:
    with pytest.raises(PipelineError, match=r"dataset.json: not there; run `dvc repro`"):
        check_labels.main([])


@pytest.mark.slow
def test_a_network_without_a_base_is_trained_for_each_fold(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    set_parameters(model="tiny_cnn", epochs=8, learning_rate=0.01, threads=1)
    assert run_here("params").status == 0
    write_prepared(counts=(240, 60, 30))
    labels = np.load(paths.PREPARED / "train_labels.npy")
    with (paths.PREPARED / "split.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    for row in (5, 77, 130):
        rows[row + 1][3] = f"class {(labels[row].argmax() + 1) % 3}"
    files.write_csv(paths.PREPARED / "split.csv", rows[0], rows[1:])
    check_labels.main(["--folds", "3"])
    out = capsys.readouterr().out
    assert "tiny_cnn has no pretrained base: 3 networks of 8 epochs" in out
    assert {"5", "77", "130"} <= {line["name"] for line in lines()}
    assert not list((workspace / ".state" / "resume").glob("check-labels-*"))
