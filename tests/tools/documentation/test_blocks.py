"""Made tables: put between their marks, and nothing else is touched."""

import pytest

from pipeline.errors import PipelineError
from tools.documentation.blocks import END, filled, table

START = "<!-- made by make docs: one -->\n"


def test_what_stands_between_the_marks_is_made_anew() -> None:
    text = f"before\n\n{START}\nold\n\n{END}\n\nafter\n"
    made = filled("p.md", text, {"one": lambda: table(("a", "b"), [("1", "x|y")])})
    assert made == f"before\n\n{START}\n| a | b |\n|---|---|\n| 1 | x\\|y |\n\n{END}\n\nafter\n"
    assert filled("p.md", made, {"one": lambda: ""}) == f"before\n\n{START}{END}\n\nafter\n"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f"{START.replace('one', 'on')}{END}\n", "p.md: on: no such table; did you mean one?"),
        (f"{START}\n", f"p.md: a table's mark without its end, {END}"),
        (f"{END}\n", f"p.md: a table's mark without its end, {END}"),
        (f"{START}{START}{END}\n", f"p.md: a table's mark without its end, {END}"),
    ],
)
def test_a_wrong_mark_is_one_line(text: str, line: str) -> None:
    with pytest.raises(PipelineError) as refused:
        filled("p.md", text, {"one": lambda: "made"})
    assert str(refused.value) == line
