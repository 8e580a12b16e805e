"""The stage `prepare` with groups and fixed labels: what they change, and what each wrong one says."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.runtime import files, paths
from tests.support import run_here, set_parameters

HEADER = "name,part,label,suggested,score,action"


@pytest.fixture
def photos(workspace: Path) -> Path:
    """20 scenes a class, of 2 photographs each, without published parts."""
    folder = workspace / "photos"
    random = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (folder / name).mkdir(parents=True)
        for number in range(40):
            pixels = random.integers(0, 255, (8, 8, 3), dtype="uint8")
            scene = f"s{number // 2:02}{name}"
            Image.fromarray(pixels).save(folder / name / f"{scene}_{number}.png")
    set_parameters(dataset=str(folder), image_size=8, model="tiny_cnn", normalization="minmax")
    return folder


def prepared(**changes: object) -> list[str]:
    """What `prepare` prints with these parameters; data/prepared is its."""
    set_parameters(**changes)
    assert run_here("params").status == 0
    if not paths.RAW.exists():
        assert run_here("download").status == 0
    ended = run_here("prepare")
    assert ended.status == 0, ended.error
    return ended.out


def refused(**changes: object) -> str:
    """The line of whichever stage refuses the parameters."""
    set_parameters(**changes)
    ended = run_here("params")
    if ended.status == 0:
        if not paths.RAW.exists():
            assert run_here("download").status == 0
        ended = run_here("prepare")
    assert ended.status == 1
    (line,) = ended.error
    return line.partition(": ")[2]


def rows() -> list[dict[str, str]]:
    with (paths.PREPARED / "split.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write(*lines: str, header: str = HEADER, name: str = "list.csv") -> None:
    files.write_text(paths.LISTS / name, "\n".join([header, *lines]) + "\n")


def test_a_pattern_keeps_scenes_together(photos: Path) -> None:
    lines = prepared(group_by="^([^_]+)_", folds=5, fold=1)
    assert lines[0] == "prepare: group_by '^([^_]+)_': 40 groups"
    part_of: dict[str, set[str]] = {}
    for row in rows():
        part_of.setdefault(Path(row["name"]).name.split("_")[0], set()).add(row["part"])
    assert len(part_of) == 40
    assert {len(parts) for parts in part_of.values()} == {1}
    described = files.read_json(paths.PREPARED / "dataset.json")["groups"]
    assert (described["groups"], described["torn"]) == (40, {"groups": 0, "images": 0})
    # The same by a file, in which two photographs stand alone.
    named = [row["name"] for row in rows()]
    write(*(f"{name},{Path(name).name[:6]}" for name in named[:-2]), header="name,group")
    lines = prepared(group_by=None, groups="list.csv")
    assert lines[0].startswith("prepare: groups list.csv: ")
    assert lines[0].endswith(", 2 images in none")


def test_a_published_split_that_tears_groups_is_warned_of(photos: Path) -> None:
    for part, kept in (("train", 0), ("test", 1)):
        for name in ("cat", "dog"):
            (photos / part / name).mkdir(parents=True)
            for file in sorted((photos / name).glob("*.png")):
                if int(file.stem.split("_")[1]) % 2 == kept:
                    file.rename(photos / part / name / file.name)
    for name in ("cat", "dog"):
        (photos / name).rmdir()
    lines = prepared(group_by="^([^_]+)_")
    expected = "the source's own split tears 40 groups (80 images): the scores will be too good"
    assert lines[1] == f"prepare: warning: group_by '^([^_]+)_': {expected}"


GROUPS = [
    ({"folds": 5, "fold": 5}, "fold: 5: with folds 5 they count from 0 to 4"),
    ({"fold": 1}, "fold: 1: needs folds, how many there are; or set fold to 0"),
    ({"folds": 50}, "folds: 50: class cat has 32 images outside the test part, fewer than folds; "),
    ({"group_by": "x(y"}, "group_by: 'x(y': no regular expression (missing ), unterminated "),
    ({"group_by": "xyz"}, "group_by: 'xyz': nothing in parentheses; "),
    ({"group_by": "(zz)"}, "group_by: '(zz)': matches none of the 80 file names, s00cat_0.png for"),
    ({"group_by": "^(s)"}, "group_by: '^(s)': all 80 images are of one group, s; "),
    ({"group_by": "(.*)"}, "group_by: '(.*)': every image is a group of its own; "),
    (
        {"groups": "none.csv"},
        "groups: none.csv: no such file; expected none, a file in experiments/ ",
    ),
    ({"groups": "x", "group_by": "(s.)"}, "groups: does not go with group_by; set one of the two"),
]


@pytest.mark.parametrize(("changes", "line"), GROUPS)
def test_wrong_folds_and_groups_get_one_line(photos: Path, changes: dict, line: str) -> None:
    assert refused(**changes).startswith(line)


def test_a_named_set_has_numbers_and_no_file_names(workspace: Path) -> None:
    set_parameters(dataset="digits", model="tiny_cnn")
    assert refused(group_by="(.)").startswith("group_by: a named data set has no file names; ")
    write(*(f"{row},{row // 3}" for row in range(1797)), header="name,group")
    assert prepared(group_by=None, groups="list.csv")[0] == "prepare: groups list.csv: 599 groups"


def test_fixes_relabel_and_leave_out_in_the_same_split(photos: Path) -> None:
    prepared()
    before = rows()
    plain = files.read_json(paths.PREPARED / "dataset.json")
    assert not {"label_fixes", "groups"} & set(plain)
    train = [row for row in before if row["part"] == "train"]
    validation = [row for row in before if row["part"] == "validation"]
    other = {"cat": "dog", "dog": "cat"}
    changed, gone = train[3], validation[5]
    write(
        f"{changed['name']},train,{changed['label']},{other[changed['label']]},0.9,relabel",
        f"{gone['name']},validation,{gone['label']},{other[gone['label']]},0.8,Leave out",
        f"{train[0]['name']},train,{train[0]['label']},{other[train[0]['label']]},0.7,keep",
        f"{train[1]['name']},train,{train[1]['label']},{other[train[1]['label']]},0.6,",
    )
    lines = prepared(label_fixes="list.csv")
    assert lines[0] == "prepare: label_fixes: list.csv: 1 image relabelled, 1 left out"
    changed["label"] = other[changed["label"]]
    assert rows() == [row for row in before if row is not gone]
    labels = np.load(paths.PREPARED / "train_labels.npy").argmax(axis=1)
    assert labels.tolist() == [["cat", "dog"].index(row["label"]) for row in train]
    described = files.read_json(paths.PREPARED / "dataset.json")["label_fixes"]
    assert described["relabelled"] == {"train": 1, "validation": 0, "test": 0}
    assert described["left_out"] == {"train": 0, "validation": 1, "test": 0}
    # Other content under the same name is other data.
    write(f"{gone['name']};validation;{gone['label']};;;leave-out", header=HEADER.replace(",", ";"))
    assert prepared()[0] == "prepare: label_fixes: list.csv: 0 images relabelled, 1 left out"


def test_the_test_part_changes_only_if_the_file_says_so_and_loudly(photos: Path) -> None:
    prepared()
    tested = next(row for row in rows() if row["part"] == "test")
    line = "{name},{part},{label},dog,1,leave-out"
    write(line.format(**{**tested, "part": "train"}))
    assert "is in the test part, on which models are compared; write test under part" in refused(
        label_fixes="list.csv"
    )
    write(line.format(**tested))
    lines = prepared()
    assert lines[1].startswith("prepare: WARNING: label_fixes changes 1 image of the TEST part: ")


FIXES = [
    (
        "cat/s00cat_0.png,train,cat,dog,1,relable",
        "line 2: cat/s00cat_0.png: action: relable: unkno",
    ),
    ("cat/s00cat_0.png,train,cat,dgo,1,relabel", "suggested: the data set has no class 'dgo'; did"),
    (
        "cat/s00cat_0.png,train,dog,cat,1,keep",
        "label: dog, but the data set says cat; the file was",
    ),
    ("cat/s00cat_0.png,tain,cat,dog,1,keep", "part: 'tain': expected train, validation and test"),
    (
        "cat/s00cat_9.png,train,cat,dog,1,keep",
        "line 2: cat/s00cat_9.png: the data set has no such ",
    ),
    (
        "cat/s00cat_0.png,train,cat,dog,1,keep\ncat/s00cat_0.png,train,cat,dog,1,relabel",
        "line 3: cat/s00cat_0.png stands in line 2 too; keep one of the two",
    ),
]


def test_wrong_fixes_get_one_line(photos: Path) -> None:
    for text, line in FIXES:
        write(text)
        found = refused(label_fixes="list.csv")
        assert found.startswith("label_fixes: list.csv: line ")
        assert line in found
    write("x", header="name;part")
    assert refused() == (
        "label_fixes: list.csv: no column label in its first line; "
        "expected name, part, label, suggested and action"
    )
    cats = [f"cat/s{n // 2:02}cat_{n}.png,test,cat,dog,1,leave-out" for n in range(40)]
    write(*cats)
    assert refused() == "label_fixes: list.csv: leaves no image of class cat to train on"
