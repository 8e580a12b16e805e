"""Names of files: hidden ones, images, other encodings, and how they stand in messages."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.datasets.names import counted, decode, is_hidden, is_image, listed, shown


@pytest.mark.parametrize("name", [".DS_Store", "__MACOSX", "Thumbs.db", ".git", "desktop.ini"])
def test_the_systems_own_files_are_hidden(name: str) -> None:
    assert is_hidden(name)


@pytest.mark.parametrize("name", ["a.jpg", "A.JPEG", "x.y.png", "사진.webp", "a.HEIC"])
def test_images_are_known_by_their_ending(name: str) -> None:
    assert is_image(name)
    assert not is_hidden(name)


@pytest.mark.parametrize("name", ["a.txt", "jpg", "a.", "a.jpg.zip", "notes"])
def test_other_files_are_no_images(name: str) -> None:
    assert not is_image(name)


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"cats/1.jpg", "cats/1.jpg"),
        ("고양이".encode(), "고양이"),
        (unicodedata.normalize("NFD", "고양이").encode(), "고양이"),
        ("고양이".encode("cp949"), "고양이"),
        ("café".encode("cp437"), "café"),
        ("Grüße".encode("cp437"), "Grüße"),
    ],
)
def test_names_of_several_encodings_are_read(raw: bytes, text: str) -> None:
    assert decode(raw, otherwise="cp437") == text


@given(st.binary())
def test_any_bytes_are_a_name(raw: bytes) -> None:
    decode(raw, otherwise="cp437").encode()
    decode(raw, otherwise="latin-1").encode()


@given(st.text(st.characters(exclude_categories=[])))
def test_a_shown_name_is_one_short_line(name: str) -> None:
    text = shown(name)
    assert text.isprintable()
    assert len(text) <= 120


def test_lists_stop_and_say_how_many_more() -> None:
    assert listed(["a"]) == "a"
    assert listed(["a", "b"]) == "a and b"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert listed(["a", "b", "c", "d"], 2) == "a, b and 2 more"
    assert (counted(1, "image"), counted(2000, "image")) == ("1 image", "2,000 images")
