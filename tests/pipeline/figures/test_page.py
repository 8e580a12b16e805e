"""The page: filters, escaping, and that nothing in it reaches out."""

import base64

import pytest

from pipeline.figures import page


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (None, "–"),
        (True, "true"),
        (0.001, "0.001"),
        (1e-05, "1e-05"),
        ([0.1, 0.8], "0.1, 0.8"),
        ([], ""),
        (12, "12"),
        ("adam", "adam"),
    ],
)
def test_parameters_are_shown_as_params_yaml_has_them(given: object, shown: str) -> None:
    assert page.value(given) == shown


@pytest.mark.parametrize(
    ("share", "shown"), [(0.9712, "97.1%"), (1.0, "100.0%"), (None, "–"), (float("nan"), "–")]
)
def test_shares_are_percentages(share: float | None, shown: str) -> None:
    assert page.percent(share) == shown


def test_pictures_are_inside_the_page() -> None:
    head, body = page.data_uri(b"\x89PNG").split(",")
    assert head == "data:image/png;base64"
    assert base64.b64decode(body) == b"\x89PNG"


def test_names_break_at_their_parts_and_are_escaped() -> None:
    assert page.breakable("cats/cat_1.jpg") == "cats/<wbr>cat<wbr>_1<wbr>.jpg"
    assert page.breakable("a<b>.png") == "a&lt;b&gt;<wbr>.png"
    assert page.breakable("test image 7") == "test image 7"
