"""What a program's result depends on in our own code: the modules that it imports, as one digest.

Imports are followed as the syntax trees have them, inside functions too. Of a
module its tree counts, so that comments, docstrings and formatting do not, and
Python 3.11, 3.12 and 3.13 agree. Files beside it that are no Python (templates,
styles) count by their bytes. docs/what-runs-again.md says what that is good for.
"""

import ast
import hashlib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
# All the code that can decide a result; the stage `params` depends on it whole.
CODE = ("stages", "pipeline")

# The one list of what only records or shows, and decides no byte of an out: a module, or a
# package with all that is in it, and what it does in place of deciding. Tests change each of
# them and compare the outs.
LEFT_OUT = {
    "pipeline.errors": "what an error says",
    "pipeline.parameters.stages": "reads data/params, which is a dependency itself",
    "pipeline.runtime.estimate": "what a stage will take, and whether the disk holds it",
    "pipeline.runtime.imports": "how fast a library is imported",
    "pipeline.runtime.locks": "which process waits for which",
    "pipeline.runtime.source": "this module",
    "pipeline.runtime.stage": "a stage's help, messages and exit status",
    "pipeline.tracking": "the MLflow record",
}


def closure(
    *programs: str, root: Path = ROOT, left_out: Iterable[str] = tuple(LEFT_OUT)
) -> dict[str, Path]:
    """The modules that the programs import, directly or not, and they themselves.

    Args:
        programs: names of modules, such as stages.train.
        root: the folder that holds the packages.
        left_out: modules and packages that are passed over, with what only they import.

    Returns:
        names, sorted, to files. A package stands for its __init__.py.
    """
    passed_over = tuple(left_out)
    found: dict[str, Path] = {}
    waiting = [name for program in programs for name in _with_packages(program)]
    while waiting:
        name = waiting.pop()
        if name in found or any(f"{name}.".startswith(f"{other}.") for other in passed_over):
            continue
        path = _file(root, name)
        if path is not None:
            found[name] = path
            waiting += _imports(_text(path))
    return dict(sorted(found.items()))


def digest(modules: dict[str, Path], *values: str) -> str:
    """SHA-256 (hex) over modules (see `closure`) with the files beside them, and over `values`."""
    total = hashlib.sha256()
    for name, path in sorted(modules.items()):
        total.update(f"{name}\0{_tree_digest(_text(path))}\n".encode())
    for path in sorted({file for module in modules.values() for file in _beside(module)}):
        total.update(f"{path.name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    for value in values:
        total.update(f"\0{value}".encode())
    return total.hexdigest()


def files(modules: dict[str, Path]) -> list[Path]:
    """The files of some modules, and those beside them, sorted."""
    return sorted({*modules.values(), *(f for path in modules.values() for f in _beside(path))})


def normalised(text: str) -> str:
    """Python source as the text of its syntax tree, the same for whatever means the same."""
    return "".join(_written(ast.parse(text)))


def _with_packages(name: str) -> list[str]:
    """a.b.c as a, a.b and a.b.c: Python runs the packages' __init__.py too."""
    parts = name.split(".")
    return [".".join(parts[:length]) for length in range(1, len(parts) + 1)]


def _file(root: Path, name: str) -> Path | None:
    place = root.joinpath(*name.split("."))
    for path in (place.with_suffix(".py"), place / "__init__.py"):
        if path.is_file():
            return path
    return None


def _beside(path: Path) -> list[Path]:
    """The files in a module's folder that are no Python."""
    return [
        other
        for other in path.parent.iterdir()
        if other.is_file() and other.suffix != ".py" and not other.name.startswith(".")
    ]


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@cache
def _parsed(text: str) -> ast.Module:
    return ast.parse(text)


@cache
def _tree_digest(text: str) -> str:
    return hashlib.sha256("".join(_written(_parsed(text))).encode()).hexdigest()


@cache
def _imports(text: str) -> tuple[str, ...]:
    """The modules that a text may import, as names; a name of something else in a module is
    among them, and is no file."""
    found: list[str] = []
    waiting: list[ast.AST] = [_parsed(text)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            found += [name.name for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None, "a relative import"
            assert not node.level, "a relative import"
            found.append(node.module)
            found += [f"{node.module}.{name.name}" for name in node.names]
        elif isinstance(node, ast.If) and _is_type_checking(node.test):
            waiting += node.orelse  # the rest is never run
        else:
            waiting += ast.iter_child_nodes(node)
    return tuple(each for name in found for each in _with_packages(name))


def _is_type_checking(test: ast.expr) -> bool:
    return isinstance(test, ast.Name) and test.id == "TYPE_CHECKING"


def _written(node: object) -> Iterator[str]:
    """A tree as text: `Name(id='x')`. Empty fields are left out, since versions of Python differ
    in which there are."""
    if isinstance(node, list):
        yield "["
        for each in node:
            yield from _written(each)
            yield ","
        yield "]"
    elif isinstance(node, ast.AST):
        yield f"{type(node).__name__}("
        for name, value in ast.iter_fields(node):
            if name == "body" and _has_docstring(node):
                value = value[1:]
            if name == "values" and isinstance(node, ast.JoinedStr):
                value = _joined(value)
            if value is not None and value != [] and name not in ("kind", "type_comment"):
                yield f"{name}="
                yield from _written(value)
                yield ","
        yield ")"
    else:
        yield repr(node)


def _has_docstring(node: ast.AST) -> bool:
    if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return False
    first = node.body[0] if node.body else None
    return (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    )


def _joined(values: list[Any]) -> list[Any]:
    """The parts of an f-string with the texts that stand side by side as one, empty ones gone."""
    parts: list[Any] = []
    for value in values:
        is_text = isinstance(value, ast.Constant)
        if is_text and parts and isinstance(parts[-1], ast.Constant):
            parts[-1] = ast.Constant(parts[-1].value + value.value)
        elif not is_text or value.value:
            parts.append(value)
    return parts
