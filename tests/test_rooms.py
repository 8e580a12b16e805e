"""The four rooms: imports go one way, and no module is longer than a reader's patience."""

import ast
from pathlib import Path

import pytest

from tests.support import REPOSITORY

MAY_IMPORT = {
    "pipeline": {"pipeline"},
    "stages": {"pipeline"},
    "tools": {"tools", "pipeline"},
    "benchmarks": {"benchmarks", "tools", "pipeline"},
}
LONGEST = 250
LONGEST_STAGE = 80
MODULES = [path for room in MAY_IMPORT for path in sorted((REPOSITORY / room).rglob("*.py"))]


def imported(path: Path) -> set[str]:
    """The top-level names of what a file imports, inside functions too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name.split(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: a relative import hides where it leads"
            found.add(str(node.module).split(".")[0])
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_imports_go_one_way_and_modules_are_short(path: Path) -> None:
    room = path.relative_to(REPOSITORY).parts[0]
    assert imported(path) & {*MAY_IMPORT, "tests"} <= MAY_IMPORT[room]
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= (LONGEST_STAGE if room == "stages" else LONGEST)


def test_tests_mirror_the_rooms() -> None:
    """A folder of tests has the name of a folder of the product."""
    tests = REPOSITORY / "tests"
    for folder in sorted({path.parent.relative_to(tests) for path in tests.rglob("*.py")}):
        assert (REPOSITORY / folder).is_dir(), folder
