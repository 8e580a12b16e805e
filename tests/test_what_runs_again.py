"""What runs again after a change of the code: docs/what-runs-again.md, proved."""

import ast
import hashlib
import os
import random
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pipeline.parameters.code import entry_code
from pipeline.parameters.reader import read_parameters
from pipeline.parameters.resolve import cut, resolve
from pipeline.parameters.stages import STAGES
from pipeline.runtime import files, source
from tests.repository import Repository
from tests.support import REPOSITORY

TRIES = 50
BY_DVC = 4  # of the tries, for each takes DVC two seconds
NAMES = [stage.stage() for stage in STAGES]
CHOSEN = ("tiny_cnn", "digits")  # what tests.repository.TINY runs


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory, shared_folder: Path) -> Repository:
    """A repository in which the pipeline has run once."""
    return Repository.finished(shared_folder, tmp_path_factory.mktemp("ran") / "repository")


@pytest.fixture
def repository(ran: Repository) -> Iterator[Repository]:
    """The same, as it was after that run; what a test changes goes again."""
    yield ran
    ran.git("reset", "-q", "--hard")  # DVC has staged dvc.lock
    ran.git("clean", "-fdq")
    ran.dvc("checkout", "-q", "--force")


def stages_run(output: str) -> list[str]:
    return re.findall(r"Running stage '(\w+)'", output)


def python_files(root: Path) -> list[Path]:
    return [path for room in source.CODE for path in sorted((root / room).rglob("*.py"))]


def test_comments_and_formatting_run_params_alone(repository: Repository) -> None:
    for path in python_files(repository.folder):
        text = path.read_text(encoding="utf-8")
        path.write_text(f"# a comment\n{text}\n\n# another one\n", encoding="utf-8")
        ast.parse(path.read_text(encoding="utf-8"))
    docstring = repository.folder / "pipeline/training/fitting.py"
    docstring.write_text(docstring.read_text().replace("One phase of", "A phase of"))
    start = time.monotonic()
    assert stages_run(repository.dvc("repro")) == ["params"]
    seconds = time.monotonic() - start
    assert seconds < 2 or seconds < 5 * nothing_to_do(repository)  # on a busy machine


def nothing_to_do(repository: Repository) -> float:
    """Seconds of a `dvc repro` that runs nothing."""
    start = time.monotonic()
    assert not stages_run(repository.dvc("repro"))
    return time.monotonic() - start


def test_a_new_network_and_a_new_data_set_run_params_alone(repository: Repository) -> None:
    zoo = repository.folder / "pipeline/networks/zoo"
    tiny = (zoo / "tiny_cnn.py").read_text()
    (zoo / "smaller_cnn.py").write_text(tiny.replace("tiny_cnn", "smaller_cnn"))
    datasets = repository.folder / "pipeline/datasets"
    shutil.copy(datasets / "named/digits", datasets / "named/more_digits")
    (datasets / "readers/more.py").write_text("def read(descriptor, paths): ...\n")
    assert stages_run(repository.dvc("repro")) == ["params"]


def test_a_changed_score_leaves_the_training_alone(repository: Repository) -> None:
    scores = repository.folder / "pipeline/evaluation/scores.py"
    scores.write_text(scores.read_text().replace("SMALLEST = 1e-7", "SMALLEST = 1e-8"))
    assert stages_run(repository.dvc("repro")) == ["params", "evaluate"]


def test_any_statement_counts_for_the_stages_that_import_it(repository: Repository) -> None:
    """A statement added somewhere in a module of a stage's closure, 50 times."""
    seed = int(os.environ.get("IMAGE_PIPELINE_TEST_SEED") or random.randrange(10**6))
    print(f"seed {seed}")
    generator = random.Random(seed)
    before = entry_code(*CHOSEN, repository.folder)
    for number in range(TRIES):
        stage = generator.choice(NAMES)
        module, path = generator.choice(sorted(of(stage, repository.folder).items()))
        text = path.read_text(encoding="utf-8")
        path.write_text(with_a_statement(text, generator), encoding="utf-8")
        after = entry_code(*CHOSEN, repository.folder)
        touched = {name for name in NAMES if after[name] != before[name]}
        importing = {name for name in NAMES if module in of(name, repository.folder)}
        assert stage in touched, f"seed {seed}: {module}"
        assert touched == importing, f"seed {seed}: {module}"
        if number < BY_DVC:
            assert repository.run("python", "-m", "stages.params").returncode == 0
            assert outdated(repository) == touched, f"seed {seed}: {module}"
        path.write_text(text, encoding="utf-8")


def of(stage: str, root: Path) -> dict[str, Path]:
    """A stage's modules as the digest has them, its network and its reader among them."""
    modules = source.closure(f"stages.{stage}", root=root)
    for registry, entry in (("networks.zoo", CHOSEN[0]), ("datasets.readers", CHOSEN[1])):
        if f"pipeline.{registry}" in modules:
            modules |= source.closure(f"pipeline.{registry}.{entry}", root=root)
    return modules


def with_a_statement(text: str, generator: random.Random) -> str:
    tree = ast.parse(text)
    # Not in a class: Pydantic's take no attribute without a type.
    bodies = [n.body for n in ast.walk(tree) if isinstance(n, ast.Module | ast.FunctionDef)]
    generator.choice(bodies).append(ast.parse("changed = 1").body[0])
    return ast.unparse(tree)


def outdated(repository: Repository) -> set[str]:
    """The stages whose own parameters or code `dvc status` says are changed."""
    found = YAML(typ="safe").load(repository.dvc("status", "--json"))
    changed = set()
    for stage, reasons in found.items():
        for reason in reasons if stage != "params" else []:
            deps = reason.get("changed deps", {}) if isinstance(reason, dict) else {}
            changed |= {stage for path in deps if path.endswith(f"params/{stage}.json")}
    return changed


def test_what_is_left_out_changes_no_byte(repository: Repository) -> None:
    """Every module of the list is changed, so that one sees it where it shows at all."""
    root = repository.folder
    listed = set(source.closure(*source.LEFT_OUT, root=root, left_out=()))
    for name in sorted(name for name in listed if name.startswith(tuple(source.LEFT_OUT))):
        path = source.closure(name, root=root, left_out=())[name]
        path.write_text(path.read_text() + "\nchanged = 1\n")
    for name, old, new in (
        ("runtime/stage.py", 'print(f"{stage}: ', 'print(f"changed {stage}: '),
        ("runtime/locks.py", 'WAITING = "waiting"', 'WAITING = "patient"'),
        ("tracking/store.py", "def open_store() -> Store | None:\n", "def open_store() -> Store | None:\n    return None\n"),
    ):  # fmt: skip
        path = root / "pipeline" / name
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))
    before = repository.bytes()
    output = repository.dvc("repro", "--force")
    assert "changed evaluate: " in output
    after = repository.bytes()
    lock = "dvc.lock"  # but for the entry of params, whose dependency is the code
    assert {k: v for k, v in before.items() if k != lock} == {
        k: v for k, v in after.items() if k != lock
    }


def test_the_committed_lock_is_of_this_code() -> None:
    """dvc.lock has what the stage params writes now, but for its own entry of the code."""
    lock = YAML(typ="safe").load(REPOSITORY / "dvc.lock")
    outs = {out["path"]: out["md5"] for out in lock["stages"]["params"]["outs"]}
    values = resolve(read_parameters(REPOSITORY / "params.yaml"))
    for own in cut(values, entry_code(values["model"], "mnist_5k")):
        text = files.as_json(own.model_dump())
        assert outs[own.path().as_posix()] == hashlib.md5(text.encode()).hexdigest(), own.path()
