"""Class names in pictures: those with letters that the font lacks stand there as numbers."""

import warnings
from pathlib import Path

import matplotlib
import pytest
from matplotlib import font_manager

from pipeline.figures import names, style


@pytest.mark.parametrize("name", ["cat", "Käse", "Ω", "кот", "a_b-c (2)", "$100", "½", "🐱"])
def test_names_in_the_fonts_letters_are_drawn(name: str) -> None:
    assert names.picture_names([name]) == [name]


@pytest.mark.parametrize("name", ["고양이", "猫", "🦊", "", "  ", "a\nb", "a\tb", "\x00", "\u200b"])
def test_other_names_are_numbers(name: str) -> None:
    assert names.picture_names(["cat", name]) == ["cat", "class 1"]
    assert names.numbered(["cat", name]) == [(1, name)]


def test_long_names_keep_both_ends() -> None:
    short = names.shortened("golden retriever puppy", 11)
    assert len(short) == 11
    assert short == "golde…puppy"
    assert names.shortened("golden", 6) == "golden"


def test_what_is_called_drawable_has_a_glyph_in_what_is_drawn(drawn) -> None:
    def draw() -> None:
        with style.figure(2, 1) as figure:
            figure.text(0, 0, "".join(names.picture_names(["Ωкотß…"], 18)))
            style.png(figure)

    with warnings.catch_warnings():
        warnings.simplefilter("error")  # 'Glyph … missing from font(s)'
        drawn(draw)


def test_the_font_is_matplotlibs_own() -> None:
    with style.figure(1, 1):
        for weight in ("normal", "bold"):
            properties = font_manager.FontProperties(weight=weight)
            file = Path(font_manager.findfont(properties))
            assert file.resolve().is_relative_to(Path(matplotlib.get_data_path()).resolve())


def test_a_dollar_is_a_dollar_not_mathematics() -> None:
    with style.figure(1, 1) as figure:
        assert figure.text(0, 0, "$100 and $x$").get_parse_math() is False
        assert figure.subplots().set_title("$x$").get_parse_math() is False


def test_a_persons_own_style_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def draw() -> bytes:
        with style.figure(2, 1) as figure:
            figure.subplots().set_title("$x$")
            return style.png(figure)

    before = draw()
    monkeypatch.setitem(matplotlib.rcParams, "axes.facecolor", "red")
    monkeypatch.setitem(matplotlib.rcParams, "font.family", ["serif"])
    assert draw() == before
    assert matplotlib.rcParams["axes.facecolor"] == "red"  # and it is left as it was
