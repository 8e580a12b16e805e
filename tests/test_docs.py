"""README and docs: every link leads somewhere, every command that they name can be typed."""

import ast
import importlib.util
import itertools
import re
import shlex
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pipeline.errors import PipelineError
from pipeline.parameters.checked import check
from pipeline.parameters.resolve import resolve
from pipeline.parameters.schema import Parameters
from tests.support import REPOSITORY
from tools.experiments.file import read_file

PAGES = [
    path
    for pattern in ("README.md", "docs/*.md", "reports/published.md")
    for path in sorted(REPOSITORY.glob(pattern))
]
TEXTS = {path: path.read_text(encoding="utf-8") for path in PAGES}
MAKEFILE = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
# Somebody's own files, as the pages call them.
PLACEHOLDERS = re.compile(
    r"/path/to/[\w.-]+|/home/me/[\w.-]+|\$[A-Z]\w+|^…$|fixes\.csv|patients\.csv"
)
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def named(path: Path) -> str:
    return str(path.relative_to(REPOSITORY))


def snippets(text: str) -> list[str]:
    """What stands as code in a page, a command each, without comments."""
    fenced = "\n".join(FENCE.findall(text))
    outside = FENCE.sub("", text)
    blocks = re.findall(r"^    (.+)$", outside, re.MULTILINE)
    spans = [span.replace("\n", " ") for span in re.findall(r"`([^`]+)`", outside)]
    lines = [*blocks, *spans, *fenced.splitlines()]
    parts = [part for line in lines for part in re.split(r" && |; ", line.partition(" #")[0])]
    return [part.strip() for part in parts]


def commands(beginning: str) -> list[tuple[str, list[str]]]:
    """(page, words) of each command in the pages that begins so; `…` stands for what is above."""
    found = []
    for path, text in TEXTS.items():
        for snippet in snippets(text):
            if beginning == "dvc exp run" and snippet.startswith("… -S"):
                snippet = snippet.replace("…", "dvc exp run -S model=vgg16 -S dataset=…", 1)
            if snippet.startswith(beginning):
                found.append((named(path), shlex.split(snippet)))
    return found


def slug(title: str) -> str:
    """A heading's anchor, as GitHub makes it."""
    words = re.sub(r"[`*]|\[([^]]*)\]\([^)]*\)", r"\1", title).strip().lower()
    return re.sub(r"[^\w\- ]", "", words).replace(" ", "-")


@pytest.mark.parametrize("path", PAGES, ids=named)
def test_links_lead_somewhere(path: Path) -> None:
    text = FENCE.sub("", TEXTS[path])
    links = re.findall(r"\]\(([^)\s]+)\)|(?:src|href)=\"([^\"]+)\"", text)
    for link in itertools.chain.from_iterable(links):
        if not link or link.startswith(("https://", "http://")):
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        assert target.exists(), link
        if anchor:
            titles = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {slug(title) for title in titles}, link


def test_readme_leads_to_every_page() -> None:
    """`make docs` adds those that it does not name otherwise."""
    text = TEXTS[REPOSITORY / "README.md"]
    assert not [path.name for path in PAGES if f"](docs/{path.name}" not in text
                and path.parent.name == "docs"]  # fmt: skip
    assert len(text.splitlines()) <= 150


@pytest.mark.parametrize("path", PAGES, ids=named)
def test_files_that_a_page_names_are_there(path: Path) -> None:
    """But those that a run writes, and those that a page lets one write."""
    rooms = r"(?:stages|pipeline|tools|benchmarks|tests|docs|requirements)/[\w./-]+\.\w+"
    for name in re.findall(rf"`({rooms})`", TEXTS[path]):
        assert (REPOSITORY / name).exists() or path.name.startswith("add-"), name


@pytest.mark.parametrize("path", [p for p in PAGES if p.parent.name == "docs"], ids=named)
def test_a_page_begins_with_what_one_types(path: Path) -> None:
    lines = TEXTS[path].splitlines()
    assert lines[0].startswith("# ")
    opening = "\n".join(lines[1:14])
    assert re.search(r"^    \S|^```|`(dvc|make|python) ", opening, re.MULTILINE), path.name


def test_make_has_the_targets_and_variables() -> None:
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    found = [(page, words) for page, words in commands("make") if words[0] == "make"]
    assert len(found) > 30
    for page, words in found:
        for word in words[1:]:
            name, given, _ = word.partition("=")
            if given:
                assert f"$({name})" in MAKEFILE or f"{name} ?=" in MAKEFILE, (page, words)
            elif not word.startswith("-"):
                assert word in targets, (page, words)


def test_programs_are_there_with_their_options() -> None:
    found = commands("python -m")
    assert len(found) > 20
    for page, words in found:
        module = words[2]
        if module.split(".")[0] not in ("stages", "tools", "benchmarks", "tests"):
            continue
        assert importlib.util.find_spec(module), (page, words)
        source = sources(module)
        for word in words[3:]:
            if word.startswith("--") and word != "--help":
                assert f'"{word.partition("=")[0]}"' in source, (page, words)


def sources(module: str) -> str:
    """The text of a program, and of the modules of ours that it imports itself."""
    spec = importlib.util.find_spec(module)
    assert spec
    if spec.submodule_search_locations:
        return sources(f"{module}.__main__")
    assert spec.origin
    text = Path(spec.origin).read_text(encoding="utf-8")
    texts = [text]
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith(
            ("tools", "benchmarks")
        ):
            for name in (node.module, *(f"{node.module}.{each.name}" for each in node.names)):
                path = REPOSITORY / f"{str(name).replace('.', '/')}.py"
                texts += [path.read_text(encoding="utf-8")] if path.is_file() else []
    return "\n".join(texts)


EXPERIMENTS = commands("dvc exp run")


def test_there_are_experiments() -> None:
    assert len(EXPERIMENTS) > 60


@pytest.mark.parametrize(
    ("page", "words"), EXPERIMENTS, ids=lambda v: v if isinstance(v, str) else " ".join(v[3:])
)
def test_an_experiment_can_be_typed(page: str, words: list[str], tmp_path: Path) -> None:
    """The schema takes each of its values, and all of them go together."""
    yaml = YAML(typ="safe", pure=True)
    values = yaml.load(REPOSITORY / "params.yaml")
    given = [word for option, word in itertools.pairwise(words) if option in ("-S", "--set-param")]
    changes = {}
    for word in given:
        key, _, text = word.partition("=")
        assert key in values, word
        if text.startswith("choice(") or ("," in text and "--queue" in words):
            text = re.sub(r"^choice\((.*)\)$", r"\1", text).split(",")[0]
        own = tmp_path / ("own" + re.sub(r"\W", "", text.rsplit(".", 1)[0]) + Path(text).suffix)
        if PLACEHOLDERS.search(text):
            own.write_text("", encoding="utf-8")
            text = str(own)
        changes[key] = yaml.load(text) if key != "group_by" else text
    if Path(page).name == "add-an-optimizer.md":
        assert changes.pop("optimizer") == "lion"  # test_add.py types it
    parameters = check(Parameters, "params.yaml", {**values, **changes})
    if Path(page).name.startswith("add-") or "fine_tune_from" in changes:
        return  # what is added is not there yet; the layers' names are Keras'
    try:
        resolve(parameters)
    except PipelineError as error:
        if "is not installed" in str(error):
            pytest.skip(str(error))
        raise


def test_the_experiment_file_of_the_page_can_be_read(tmp_path: Path) -> None:
    text = (REPOSITORY / "docs/experiments.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    path = tmp_path / "mine.yaml"
    path.write_text(block, encoding="utf-8")
    assert [entry.name for entry in read_file(path).entries] == ["plain", "shifted", "dropout"]
