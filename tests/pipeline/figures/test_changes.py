"""What the report says of folds, groups and fixed labels."""

from pipeline.figures import changes

FIXED = {
    "file": "fixes.csv",
    "relabelled": {"train": 2, "validation": 0, "test": 1},
    "left_out": {"train": 0, "validation": 1, "test": 0},
    "first": [["a.png", "train", "cat", "dog"], ["b.png", "validation", "cat", ""]],
}
GROUPS = {"by": "groups g.csv", "groups": 7, "alone": 2, "torn": {"groups": 3, "images": 9}}


def test_a_plain_data_set_is_passed_over() -> None:
    assert changes.warnings({}) == []
    assert changes.sentences({}, {"folds": None, "fold": 0}) == []


def test_changes_are_named_and_those_of_the_test_part_warned_of() -> None:
    dataset = {"label_fixes": FIXED, "groups": GROUPS}
    first, second = changes.warnings(dataset)
    assert first.startswith("The test part itself was changed: fixes.csv relabels 1 test image ")
    assert "tears 3 groups of images that belong together (groups g.csv; 9 images)" in second
    said = changes.sentences(dataset, {"folds": 5, "fold": 2})
    assert said[0].startswith("The validation part is fold 2 of 5 ")
    assert said[2].endswith("train 2 and 0, validation 0 and 1, test 1 and 0.")
    assert said[3:] == [
        "a.png (train): cat, now dog.",
        "b.png (validation): cat, left out.",
        "… and 2 more, in data/prepared/fixes.csv.",
    ]
