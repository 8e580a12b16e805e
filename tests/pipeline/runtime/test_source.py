"""The closure of a program's imports, and the digest that comments do not change."""

import textwrap
from pathlib import Path

import pytest

from pipeline.runtime import source
from tests.support import REPOSITORY

FILES = {
    "app/__init__.py": "",
    "app/main.py": """
        from app import first

        def run():
            import app.deep.second
        """,
    "app/first.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import app.unseen\n",
    "app/unseen.py": "",
    "app/other.py": "",
    "app/deep/__init__.py": "",
    "app/deep/second.py": "import os\nimport numpy\n",
    "app/deep/page.html": "<p>",
}


@pytest.fixture
def app(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
    return tmp_path


def digest(root: Path) -> str:
    return source.digest(source.closure("app.main", root=root))


def test_imports_are_followed_into_functions_and_packages(app: Path) -> None:
    assert list(source.closure("app.main", root=app)) == [
        "app", "app.deep", "app.deep.second", "app.first", "app.main",
    ]  # fmt: skip


def test_what_is_left_out_is_left_out_with_what_only_it_imports(app: Path) -> None:
    (app / "app/first.py").write_text("import app.other\n")
    left_out = ("app.first", "app.deep")
    assert list(source.closure("app.main", root=app, left_out=left_out)) == ["app", "app.main"]


@pytest.mark.parametrize(
    ("name", "text", "counts"),
    [
        ("app/first.py", "# a comment\nfrom typing import TYPE_CHECKING\n\n\nif TYPE_CHECKING:\n    import app.unseen\n", False),
        ("app/main.py", '"""Documented."""\nfrom app import first\ndef run():\n    """So is this."""\n    import app.deep.second\n', False),
        ("app/other.py", "changed = 1\n", False),
        ("app/unseen.py", "changed = 1\n", False),
        ("app/first.py", "changed = 1\n", True),
        ("app/deep/second.py", "import os\nimport numpy\nchanged = 1\n", True),
        ("app/deep/page.html", "<b>", True),
        ("app/deep/style.css", "b { color: red }", True),
    ],
)  # fmt: skip
def test_what_changes_the_digest(app: Path, name: str, text: str, counts: bool) -> None:
    before = digest(app)
    (app / name).write_text(text)
    assert (digest(app) != before) == counts


@pytest.mark.parametrize(
    ("one", "two", "same"),
    [
        ("x = 'a'", 'x = "a"', True),
        ("f(a,b)", "f(\n    a,\n    b,\n)", True),
        ("x = f'{a!r:>4}' 'b'", 'x = f"{a!r:>4}b"', True),
        ("x = 1", "x = 1.0", False),
        ("x = 1", "x = True", False),
        ("x = f'{a}'", "x = f'{a!s}'", False),
        ("def f(): return 1", "async def f(): return 1", False),
        ("'only a string'; x = 1", "x = 1", True),  # a module's docstring
        ("x = 1; 'no docstring'", "x = 1", False),
    ],
)
def test_the_same_meaning_is_the_same_text(one: str, two: str, same: bool) -> None:
    assert (source.normalised(one) == source.normalised(two)) == same


def test_versions_of_python_agree() -> None:
    """The fields that 3.12 and 3.13 add (type_params, empty lists) leave no trace; the whole
    tree agreed under 3.11.7, 3.12.1 and 3.13.0 when this was written."""
    text = source.normalised("def f(a, *, b: int = 1) -> None: ...\nclass A(B): pass\n")
    assert "type_params" not in text
    assert "=[]" not in text
    assert text.startswith("Module(body=[FunctionDef(name='f',args=arguments(")


def test_every_entry_of_the_list_is_there() -> None:
    for name in source.LEFT_OUT:
        assert source.closure(name, left_out=()).get(name), name


def test_no_stage_reaches_the_tools() -> None:
    for stage in (REPOSITORY / "stages").glob("*.py"):
        modules = source.closure(f"stages.{stage.stem}", left_out=())
        assert not [name for name in modules if name.startswith(("tools", "benchmarks", "tests"))]
