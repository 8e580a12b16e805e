"""The audit of a person's own files, in words."""

from typing import Any

from pipeline.figures import audit

CLEAN: dict[str, Any] = {
    "images": 1200,
    "sizes": {
        "width": {"min": 200, "median": 200.0, "max": 200},
        "height": {"min": 150, "median": 150.0, "max": 150},
        "different": 1,
        "most_common": [{"width": 200, "height": 150, "count": 1200}],
    },
    "unreadable": {"count": 0, "images": []},
    "duplicates": {"groups": 0, "images": 0, "names": []},
    "leakage": {"groups": 0, "images": 0, "names": []},
    "ignored": {"hidden": 0, "others": 0, "names": []},
}


def test_arrays_have_no_audit() -> None:
    assert audit.sentences(None) == audit.warnings(None) == []


def test_a_clean_set_is_called_clean() -> None:
    assert audit.warnings(CLEAN) == []
    assert audit.sentences(CLEAN) == [
        "All 1,200 images came as 200×150 pixels (width × height).",
        "Every image could be read.",
        "No two files have the same bytes.",
        "No image stands in more than one part.",
    ]


def test_leakage_is_a_warning_with_its_numbers() -> None:
    pair = [{"name": "a.png", "part": "train"}, {"name": "b.png", "part": "test"}]
    found = CLEAN | {"leakage": {"groups": 1, "images": 2, "names": [pair]}}
    assert audit.warnings(found) == [
        "2 files in 1 group have the same bytes as one in another part, so the scores are too "
        "good: the first are a.png (train) and b.png (test)."
    ]
    assert "No image stands in more than one part." not in audit.sentences(found)


def test_what_is_wrong_is_counted_and_named() -> None:
    images = [{"name": f"{n}.png", "reason": "truncated"} for n in range(7)]
    found = CLEAN | {
        "sizes": CLEAN["sizes"]
        | {"different": 3, "width": {"min": 9, "median": 150.5, "max": 4000}},
        "unreadable": {"count": 7, "images": images},
        "duplicates": {"groups": 300, "images": 601, "names": [["a.png", "b.png", "c.png"]] * 100},
        "ignored": {"hidden": 2, "others": 1, "names": [".DS_Store", "notes.txt"]},
    }
    sizes, unreadable, duplicates, *_, ignored = audit.sentences(found)
    assert "in 3 sizes, 9 to 4,000 pixels wide (median 150.5)" in sizes
    assert unreadable.startswith("7 images could not be read: 0.png (truncated), ")
    assert unreadable.endswith("4.png (truncated) and 2 more.")
    assert duplicates.startswith("601 files in 300 groups have the same bytes: a.png = b.png")
    assert duplicates.endswith("and 295 more.")
    assert ignored == (
        "Passed over: 2 hidden files and 1 that are no images or stand in no class folder, "
        "such as .DS_Store, notes.txt."
    )
