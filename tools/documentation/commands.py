"""Tables of what one types and sets: make's targets, the programs, the environment variables."""

import ast
import re
import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path

from pipeline.errors import PipelineError
from tools.documentation.blocks import code, table

ROOMS = ("stages", "pipeline", "tools", "benchmarks", "tests")
# Read by the code with these beginnings; others' own are not ours to explain.
VARIABLE = re.compile(r"(?:IMAGE_PIPELINE|MLFLOW|KERAS|DVC|TF|XLA|CUBLAS)_[A-Z_0-9]+", re.ASCII)
TARGET = re.compile(r"^([a-z-]+):[^#\n]*## (.*)$", re.MULTILINE)


def targets_table(makefile: str) -> str:
    """`make` with what each target does."""
    rows = [(code(f"make {name}"), about) for name, about in targets(makefile).items()]
    return table(("type", "to"), rows)


def extras_table(pyproject: str) -> str:
    """What `make setup EXTRA=…` adds to what a run needs; `make dev` adds its own."""
    extras = tomllib.loads(pyproject)["project"]["optional-dependencies"]
    rows = [
        (code(f"make setup EXTRA={name}"), ", ".join(dict.fromkeys(map(_package, packages))))
        for name, packages in extras.items()
        if name not in ("dev", "uv")
    ]
    return table(("type", "for"), rows)


def _package(requirement: str) -> str:
    """tensorflow[and-cuda] of 'tensorflow[and-cuda]>=2.21,<2.22 ; sys_platform …'."""
    return re.split(r"[<>=! ;]", requirement, maxsplit=1)[0]


def targets(makefile: str) -> dict[str, str]:
    """The targets that `make` alone lists, with their words."""
    return dict(TARGET.findall(makefile))


def programs_table(root: Path) -> str:
    """The programs that one runs by `python -m`, with the first sentence of their help."""
    rows = []
    for room in ("tools", "benchmarks"):
        for path in sorted((root / room).rglob("*.py")):
            text = path.read_text(encoding="utf-8")
            if "\nif __name__ ==" in text:
                module = ".".join(path.relative_to(root).with_suffix("").parts)
                about = (ast.get_docstring(ast.parse(text)) or "").split("\n\n")[0]
                rows.append((code(f"python -m {module.removesuffix('.__main__')}"), about))
    return table(("type", "to"), [(name, " ".join(about.split())) for name, about in rows])


def variables_table(root: Path, known: Mapping[str, str], of_others: Collection[str]) -> str:
    """The environment variables, and where the code reads them.

    Args:
        known: a variable, or several joined by a comma, to what it does.
        of_others: variables that the code only sets, for processes that it starts.

    Raises:
        PipelineError: the code names one that has no words here, or there are words for one of
            ours that it does not name.
    """
    read = variables(root)
    explained = {name: words for words in known for name in words.split(", ")}
    for name, where in read.items():
        if name not in {*explained, *of_others}:
            raise PipelineError(
                f"{where[0]}: {name}: explain it in tools/documentation/variables.py"
            )
    for name in explained:  # others' may be read by their libraries alone
        if name not in read and name.startswith("IMAGE_PIPELINE_"):
            raise PipelineError(f"tools/documentation/variables.py: {name}: no code reads it")
    rows = []
    for names, about in known.items():
        each = names.split(", ")
        where = sorted({_room(path) for name in each for path in read.get(name, [])})
        where = [room for room in where if room != "tests"] or where
        rows.append((", ".join(map(code, each)), about, ", ".join(where) or "its library"))
    return table(("variable", "what it does", "read in"), rows)


def variables(root: Path) -> dict[str, list[str]]:
    """The environment variables that stand as whole texts in the code, with the files."""
    found: dict[str, list[str]] = {}
    for room in ROOMS:
        for path in sorted((root / room).rglob("*.py")):
            name = str(path.relative_to(root))
            if name == "tools/documentation/variables.py":
                continue
            for text in re.findall(r"[\"']([A-Z_0-9]+)[\"']", path.read_text(encoding="utf-8")):
                if VARIABLE.fullmatch(text) and name not in found.setdefault(text, []):
                    found[text].append(name)
    return found


def _room(path: str) -> str:
    parts = path.split("/")
    return "/".join(parts[:2]) if parts[0] == "pipeline" else parts[0]
