"""From names to classes and parts: what is a data set of one's own, and what is none."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.datasets.folder import Folder
from pipeline.datasets.layout import Layout, arrange
from pipeline.datasets.tree import Entry, Tree
from pipeline.errors import PipelineError
from tests.pipeline.datasets.pictures import write_folder


class Names(Tree):
    """A tree of names alone; one that ends in / is an empty folder."""

    def __init__(self, *names: str) -> None:
        self.title = "photos"
        self.hidden = 0
        self.fingerprint = ""
        self.files = [Entry(name, 1, None) for name in names if not name.endswith("/")]
        steps = [name.rstrip("/").split("/") for name in names]
        self.folders = {
            "/".join(parts[:depth])
            for name, parts in zip(names, steps, strict=True)
            for depth in range(1, len(parts) + name.endswith("/"))
        }

    def open(self, entry: Entry) -> None:  # type: ignore[override]
        raise NotImplementedError


def table(layout: Layout) -> list[tuple[str, str, str]]:
    return [(image.name, layout.classes[image.label], image.part) for image in layout.images]


def test_class_folders() -> None:
    layout = arrange(Names("dog/2.jpg", "cat/1.png", "dog/1.jpg"))
    assert layout.classes == ["cat", "dog"]
    assert table(layout) == [
        ("cat/1.png", "cat", ""),
        ("dog/1.jpg", "dog", ""),
        ("dog/2.jpg", "dog", ""),
    ]


@pytest.mark.parametrize("validation", ["val", "valid", "validation", "Validation"])
def test_part_folders_on_top(validation: str) -> None:
    layout = arrange(
        Names("train/a/1.jpg", "train/b/1.jpg", f"{validation}/a/1.jpg", "test/b/1.jpg")
    )
    assert layout.classes == ["a", "b"]
    assert {image.part for image in layout.images} == {"train", "validation", "test"}
    assert ("train/b/1.jpg", "b", "train") in table(layout)
    assert (f"{validation}/a/1.jpg", "a", "validation") in table(layout)


def test_folders_around_the_whole_are_passed_over() -> None:
    layout = arrange(Names("new/photos/a/1.jpg", "new/photos/b/1.jpg", "new/photos/notes.txt"))
    assert table(layout) == [("a/1.jpg", "a", ""), ("b/1.jpg", "b", "")]
    assert layout.ignored == ["notes.txt"]
    layout = arrange(Names("new/train/a/1.jpg", "new/train/b/1.jpg"))
    assert table(layout) == [("train/a/1.jpg", "a", "train"), ("train/b/1.jpg", "b", "train")]


def test_folders_within_a_class_count_for_it() -> None:
    layout = arrange(Names("a/x/1.jpg", "a/y/z/1.jpg", "b/1.jpg"))
    assert [image.label for image in layout.images] == [0, 0, 1]


def test_a_class_of_trains_is_no_part() -> None:
    assert arrange(Names("train/1.jpg", "bus/1.jpg")).classes == ["bus", "train"]


def test_other_files_are_left_out_and_named() -> None:
    layout = arrange(Names("a/1.jpg", "a/labels.txt", "b/1.jpg", "cover.jpg", "more.zip"))
    assert layout.ignored == ["a/labels.txt", "cover.jpg", "more.zip"]
    assert len(layout.images) == 2


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            ("notes.txt",),
            "photos: no images in it, only notes.txt; expected class folders with files that end "
            "in .jpg, .png, .webp or another of 25 known endings",
        ),
        (
            (),
            "photos: no images in it; expected class folders with files that end in .jpg, .png, "
            ".webp or another of 25 known endings",
        ),
        (
            ("train.zip", "x/test.tar.gz"),
            "photos: holds archives (train.zip and x/test.tar.gz) and no images; "
            "unpack those first",
        ),
        (
            ("1.jpg", "2.jpg"),
            "photos: the images stand in no class folders; expected <class>/<image>",
        ),
        (
            ("cat/1.jpg", "cat/2.jpg"),
            "photos: one class (cat); a classifier needs at least two class folders",
        ),
        (
            ("cat/1.jpg", "dog/"),
            "photos: no images in class folder dog (files that end in .jpg, .png …); "
            "add some or remove the folder",
        ),
        (
            ("cat/1.jpg", "dog/1.txt", "emu/1.jpg"),
            "photos: no images in class folder dog (files that end in .jpg, .png …); "
            "add some or remove the folder",
        ),
        (
            ("train/cat/1.jpg", "train/dog/1.jpg", "test/emu/1.jpg"),
            "photos: no images in class folder train/emu (files that end in .jpg, .png …); "
            "add some or remove the folder",
        ),
        (
            ("Cat/1.jpg", "cat/1.jpg", "dog/1.jpg"),
            "photos: the class folders Cat and cat differ in upper and lower case alone; "
            "rename or merge them",
        ),
        (
            ("train/cat/1.jpg", "train/dog/1.jpg", "test/Cat/1.jpg"),
            "photos: the class folders Cat and cat differ in upper and lower case alone; "
            "rename or merge them",
        ),
        (
            ("train/cat/1.jpg", "train/dog/1.jpg", "emu/1.jpg"),
            "photos: emu beside train; put all class folders into train, validation and test, "
            "or none",
        ),
        (
            ("train/cat/1.jpg", "train/dog/1.jpg", "test/1.jpg", "test/2.jpg"),
            "photos: test: 2 images in no class folder; expected test/<class>/<image>",
        ),
        (
            ("train/cat/1.jpg", "val/cat/1.jpg", "valid/cat/1.jpg"),
            "photos: val and valid both name the validation part; keep one",
        ),
        (
            ("test/cat/1.jpg", "test/dog/1.jpg"),
            "photos: test without train; expected train/<class>/…",
        ),
        (
            ("cat/1.jpg", "cat/1.jpg", "dog/1.jpg"),
            "photos: cat/1.jpg is there twice; keep one of the two",
        ),
    ],
)
def test_what_is_no_data_set_gets_one_line(names: tuple[str, ...], message: str) -> None:
    with pytest.raises(PipelineError) as error:
        arrange(Names(*names))
    assert str(error.value) == message


@given(
    st.dictionaries(
        st.text("abcdé고", min_size=1, max_size=3), st.integers(1, 4), min_size=2, max_size=6
    ),
    st.randoms(),
)
def test_every_image_is_there_once_in_the_order_of_names(counts: dict, random: object) -> None:
    names = [f"{label}/{number}.png" for label, count in counts.items() for number in range(count)]
    in_order = arrange(Names(*sorted(names)))
    random.shuffle(names)  # type: ignore[attr-defined]
    layout = arrange(Names(*names))
    assert table(layout) == table(in_order)
    assert [image.name for image in layout.images] == sorted(names)
    assert layout.classes == sorted(counts)
    for image in layout.images:
        assert image.name.split("/")[0] == layout.classes[image.label]


def test_a_folder_on_the_disk(tmp_path: Path) -> None:
    """Hidden files are not seen, links to files are followed."""
    root = write_folder(
        tmp_path / "photos",
        {
            "고양이/1.jpg": b"1",
            "dog/.DS_Store": b"",
            "dog/Thumbs.db": b"",
            "__MACOSX/dog/._2.jpg": b"",
            ".git/x.jpg": b"",
            "dog/a\nb.jpg": b"12",
        },
    )
    (root / "dog" / "linked.jpg").symlink_to(root / "고양이" / "1.jpg")
    tree = Folder(root)
    assert tree.hidden == 4
    layout = arrange(tree)
    assert layout.classes == ["dog", "고양이"]
    assert [image.name for image in layout.images] == [
        "dog/a\nb.jpg",
        "dog/linked.jpg",
        "고양이/1.jpg",
    ]
    with tree.open(layout.images[1].entry) as file:
        assert file.read() == b"1"


def test_the_fingerprint_of_a_folder_changes_with_its_files(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "photos", {"a/1.jpg": b"1", "b/1.jpg": b"2"})
    first = Folder(root).fingerprint
    assert Folder(root).fingerprint == first
    (root / "a" / "1.jpg").write_bytes(b"longer")
    second = Folder(root).fingerprint
    assert second != first
    (root / "a" / "2.jpg").write_bytes(b"1")
    assert Folder(root).fingerprint not in (first, second)


@pytest.mark.parametrize("kind", ["folder", "nothing", "pipe", "giant", "return"])
def test_odd_things_in_a_folder_get_one_line(tmp_path: Path, kind: str) -> None:
    root = write_folder(tmp_path / "photos", {"a/1.jpg": b"1", "b/1.jpg": b"2"})
    odd = root / "a" / "odd.jpg"
    if kind == "folder":
        odd.symlink_to(root / "b", target_is_directory=True)
        message = (
            "photos: a/odd.jpg is a link to a folder, in which DVC would notice no change; "
            "put the folder itself there"
        )
    elif kind == "nothing":
        odd.symlink_to(root / "gone.jpg")
        message = "photos: a/odd.jpg: cannot be read (No such file or directory)"
    elif kind == "giant":
        odd.touch()
        os.truncate(odd, 4 << 30)  # of zeros that take no room
        message = "photos: a/odd.jpg: over 4 GiB, which is no image"
    elif kind == "return":
        (root / "a" / "odd\r.jpg").write_bytes(b"1")
        message = "photos: a/odd\\r.jpg: a carriage return in its name; rename it"
    else:
        os.mkfifo(odd)
        message = "photos: a/odd.jpg is not an ordinary file"
    with pytest.raises(PipelineError) as error:
        Folder(root)
    assert str(error.value) == message
