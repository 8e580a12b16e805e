"""`benchmarks.bench`: what is measured, what stands after a kill, and that the pair is fair."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from benchmarks import table
from benchmarks.definition import read_definition
from benchmarks.journal import Journal, Record, latest
from benchmarks.running import Benchmark
from pipeline.errors import PipelineError
from tests.repository import Repository
from tests.support import REPOSITORY
from tests.tools.experiments.support import command, enter_repository, git, run
from tools.experiments.repository import Repository as Sources

PAIRS = """
workspaces:
  toy: {dataset: digits}
  far: {dataset: $NOT_SET_HERE/photos.zip}
pairs:
  - name: toy
    about: a toy beside nothing
    quick: 1
    workspace: toy
    overrides: {epochs: 2}
    rounds: 2
    variants:
      - {name: A, command: dvc repro}
      - {name: B, command: "python -c 'print(\\"accuracy 0.5{seed}\\")'"}
    goals:
      - {quantity: seconds, of: A, over: B, most: 1.15}
      - {quantity: accuracy, of: B, least: 0.6}
  - name: far
    about: not here
    workspace: far
    rounds: 1
    variants: [{name: A, command: dvc repro}]
"""


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One fast stage, in a real repository, beside the project's code, which is what runs here;
    the benchmark of it in pairs.yaml."""
    folder = enter_repository(tmp_path / "repository", monkeypatch)
    stage = folder / "stages/stage.py"
    stage.write_text(stage.read_text().replace('["DVC_EXP_NAME"]', '.get("DVC_EXP_NAME", "repro")'))
    for room in ("stages", "pipeline", "tools", "benchmarks"):
        compiled = shutil.ignore_patterns("__pycache__")
        shutil.copytree(REPOSITORY / room, folder / room, ignore=compiled, dirs_exist_ok=True)
    with (folder / ".gitignore").open("a") as file:
        file.write("__pycache__/\n")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "the code, and a stage that dvc repro runs too")
    monkeypatch.setenv("PYTHONPATH", str(folder))
    (folder / "pairs.yaml").write_text(PAIRS)
    return folder


def journal(repository: Path) -> list[Record]:
    return Journal(repository / ".state/benchmark/journal.jsonl").read()


def change(path: Path, text: str) -> None:
    """Append to a file of the repository, and commit."""
    with path.open("a") as file:
        file.write(text)
    git(path.parent, "add", path.name)
    git(path.parent, "commit", "--quiet", "-m", path.name)


def working_in(folder: Path, since: int = 0, before: int = 0) -> list[int]:
    """The processes whose current folder is this one, or below it; those that began after, or
    before, another process did."""
    found = psutil.process_iter(["cwd", "create_time"])
    here = [each for each in found if (each.info["cwd"] or "").startswith(str(folder))]
    if since:
        start = psutil.Process(since).create_time()
        here = [each for each in here if each.info["create_time"] > start]
    if before:
        start = psutil.Process(before).create_time()
        here = [each for each in here if each.info["create_time"] < start]
    return [each.pid for each in here]


def record(variant: str, number: int, seconds: float, **more: object) -> Record:
    values = {
        "pair": "toy",
        "variant": variant,
        "round": number,
        "key": "",
        "seconds": seconds,
        "counted_seconds": seconds,
        "epoch_seconds": 2.0,
        "images_per_second": None,
        "peak_mib": 800.0,
        "accuracy": 0.55,
        "others": 0.01,
        "commit": "c" * 40,
        "code": "d" * 16,
        "machine": "m",
        "date": f"2026-01-0{number}T00:00:00+00:00",
    }
    return Record(**{**values, **more})  # type: ignore[arg-type]


def test_the_committed_pairs_can_be_read():
    definition = read_definition(REPOSITORY / "experiments/benchmark.yaml")
    quick = [pair.name for pair in definition.pairs if pair.quick]
    assert quick == ["pipeline", "nothing-to-do"]
    precision = next(pair for pair in definition.pairs if pair.name == "precision")
    assert "two_block_cnn, mixed_bfloat16, 1" in [each.name for each in precision.variants]
    reference = next(pair for pair in definition.pairs if pair.name == "fast_cnn").variants[-1]
    assert reference.counts_as_epochs == 50


def test_a_wrong_definition_is_one_line(tmp_path):
    for old, new, line in [
        ("over: B", "over: C", "toy: goals 1: over: C: no such variant; known: A, B"),
        ("quantity: seconds", "quantity: second", "toy: goals 1: quantity: input should be"),
        ("command: dvc repro}", "command: rm -r}", "command: expected a command of dvc or python"),
        ("workspace: toy", "workspace: tow", "toy: workspace: tow: unknown; did you mean toy?"),
        ("name: far", "name: toy", "pairs.yaml: toy: 2 pairs have this name; rename one"),
        (", most: 1.15", "", "toy: goals 1: expected one of most and least"),
        (
            "repro}",
            "repro, rounds: 0}",
            "A: rounds: input should be greater than or equal to 1, not 0",
        ),
    ]:
        path = tmp_path / "pairs.yaml"
        path.write_text(PAIRS.replace(old, new))
        with pytest.raises(PipelineError, match=re.escape(line)):
            read_definition(path)


def test_a_variant_can_have_fewer_rounds_and_keeps_what_was_measured(tmp_path):
    path = tmp_path / "pairs.yaml"
    path.write_text(PAIRS)
    all_rounds = read_definition(path)
    path.write_text(PAIRS.replace("command: dvc repro}", "command: dvc repro, rounds: 1}"))
    one = read_definition(path)
    pair = one.pairs[0]
    asked = [(number, variant.name) for number, variant in pair.measurements()]
    assert asked == [(1, "A"), (1, "B"), (2, "B")]
    assert one.key(pair, pair.variants[0]) == all_rounds.key(pair, all_rounds.pairs[0].variants[0])
    lines = table.text([pair], latest([record("A", 1, 1), record("B", 1, 1)]), {}).splitlines()
    assert [line.split()[-3:] for line in lines[2:4]] == [["1", "of", "1"], ["1", "of", "2"]]


def test_medians_spreads_and_ratios_of_a_journal(tmp_path):
    path = tmp_path / "pairs.yaml"
    path.write_text(PAIRS.replace("rounds: 2", "rounds: 3"))
    definition = read_definition(path)
    kept = Journal(tmp_path / "journal.jsonl")
    for number, (a, b) in enumerate([(11, 10), (24, 20), (10.2, 10)], start=1):
        kept.append(record("A", number, a))
        # Of half its epochs; what counts is the time of all.
        kept.append(record("B", number, b / 2, accuracy=0.6, counted_seconds=b))
    kept.append(record("B", 3, 10, accuracy=0.61))  # measured again: the last one counts
    records = latest(kept.read())
    text = table.text(definition.pairs[:1], records, {})
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert lines == [
        "toy: a toy beside nothing",
        "seconds an epoch, s peak, MiB accuracy runs",
        "A 11.0 (10.2–24.0) 2.00 (2.00–2.00) 800 (800–800) 0.5500 (0.5500–0.5500) 3 of 3",
        "B 10.0 (10.0–20.0) 2.00 (2.00–2.00) 800 (800–800) 0.6000 (0.6000–0.6100) 3 of 3",
        "seconds: A / B: 1.100 (1.020–1.200), goal at most 1.15: met",
        "test accuracy: B: 0.6000 (0.6000–0.6100), goal at least 0.6: met",
    ]
    found = table.as_json(definition, records, {"far": "not here"}, {"processors": 2}, {})
    pair = found["pairs"]["toy"]
    assert pair["variants"]["A"]["seconds"] == [11, 24, 10.2]
    assert pair["goals"][0]["values"] == [1.1, 1.2, 1.02]
    assert (pair["goals"][0]["median"], pair["goals"][0]["met"]) == (1.1, True)
    assert found["pairs"]["far"]["skipped"] == "not here"
    assert "measured" not in found["pairs"]["far"]
    assert pair["measured"]["commits"] == ["c" * 40]
    assert (pair["measured"]["machine"], pair["measured"]["to"][:10]) == (
        {"processors": 2},
        "2026-01-03",
    )
    # What another machine has measured stays, unless something else is asked for now.
    assert table.as_json(definition, {}, {}, {"processors": 4}, found)["pairs"]["toy"] == pair
    path.write_text(PAIRS.replace("a toy beside nothing", "another toy"))
    other = table.as_json(read_definition(path), {}, {}, {"processors": 4}, found)
    assert "measured" not in other["pairs"]["toy"]
    assert table.busy(records) is None
    noisy = {**records, ("toy", "A", 1): record("A", 1, 11, others=0.5)}
    assert "1 of 6 measurements had other programs beside them, which used up to 50%" in str(
        table.busy(noisy)
    )


def test_a_line_that_a_kill_cut_off_costs_that_line_alone(tmp_path):
    kept = Journal(tmp_path / "journal.jsonl")
    kept.append(record("A", 1, 1))
    with kept.path.open("a") as file:
        file.write('{"pair": "toy", "var')
    kept.append(record("A", 2, 2))
    assert [each.round for each in kept.read()] == [1, 2]


def test_a_killed_benchmark_goes_on_and_measures_nothing_twice(repository):
    slow = {**os.environ, "EPOCH_SECONDS": "2"}
    log = (repository / "bench.log").open("w")
    process = subprocess.Popen(command("bench", "--file", "pairs.yaml"), env=slow, stdout=log)
    deadline = time.monotonic() + 500
    while len(journal(repository)) < 2:
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.1)
    while not working_in(repository / ".state"):  # into the third
        assert process.poll() is None
        time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = journal(repository)
    assert [(each.variant, each.round) for each in before] == [("A", 1), ("B", 1)]

    process = subprocess.Popen(
        command("bench", "--file", "pairs.yaml"), env=slow, stdout=log, stderr=subprocess.PIPE
    )
    deadline = time.monotonic() + 500
    while "2 of 4 are measured already" not in (repository / "bench.log").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    while not working_in(repository / ".state", since=process.pid):
        assert process.poll() is None
        time.sleep(0.1)
    assert working_in(repository / ".state", before=process.pid) == []  # what was left alive
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate()
    assert process.returncode == 130
    assert errors == b"bench: stopped; the same command resumes from here\n"
    found = json.loads((repository / "reports/benchmark.json").read_text())
    assert found["pairs"]["toy"]["variants"]["B"]["accuracy"] == [0.542]  # of what was stopped
    assert not working_in(repository / ".state")
    assert journal(repository) == before

    result = run("bench", "--file", "pairs.yaml")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "bench: toy: 2 of 4 are measured already\n" in result.stdout
    assert "bench: far: skipped: workspace far: NOT_SET_HERE is not set\n" in result.stdout
    after = journal(repository)
    assert after[:2] == before
    assert [(each.variant, each.round) for each in after[2:]] == [("A", 2), ("B", 2)]
    assert after[2].seconds > 0
    assert [each.accuracy for each in after] == [0.2, 0.542, 0.3, 0.543]  # the rounds' seeds
    found = json.loads((repository / "reports/benchmark.json").read_text())
    assert found["pairs"]["toy"]["variants"]["B"]["accuracy"] == [0.542, 0.543]
    assert str(repository) not in json.dumps(found)
    # Nothing is left but the journal, the logs and the result.
    assert not list((repository / ".state/benchmark/workspaces").iterdir())
    assert not working_in(repository / ".state")

    # A change of the code is measured anew, a change of a text is not.
    change(repository / "notes.md", "a note\n")
    change(repository / "pipeline/training/fitting.py", "# a comment\n")
    result = run("bench", "--file", "pairs.yaml", "--only", "toy")
    assert "bench: toy: 4 of 4 are measured already\n" in result.stdout
    (repository / "pipeline/training/fitting.py").open("a").write("CHANGED = True\n")
    result = run("bench", "--file", "pairs.yaml")
    assert result.returncode == 1
    assert result.stderr.startswith("bench: pipeline/training/fitting.py: not committed")
    git(repository, "commit", "--quiet", "--all", "-m", "other code")
    result = run("bench", "--file", "pairs.yaml", "--quick")
    assert "are measured already" not in result.stdout
    assert "[1/2] A: " in result.stdout
    assert "[2/2] B: " in result.stdout
    assert (repository / ".state/benchmark/benchmark.json").exists()


def test_a_change_is_measured_anew_where_it_runs_and_nowhere_else(repository):
    pairs = repository / "pairs.yaml"
    pairs.write_text(
        re.sub(r"command: \"python .*\"}", "command: python -m benchmarks.plain.b}", PAIRS)
    )
    script = repository / "benchmarks/plain/b.py"
    change(script, "print('accuracy 0.5')\n")

    def bench() -> Benchmark:
        sources = Sources(repository)
        folder = repository / ".state/benchmark"
        return Benchmark(sources, read_definition(pairs), sources.commit(), folder)

    def measure() -> None:
        """Both variants of the pair, with the code that is there."""
        measured = bench()
        pair = measured.definition.pairs[0]
        for variant in pair.variants:
            more = {"key": measured.definition.key(pair, variant), "machine": measured.machine}
            more["code"] = measured.code(pair, variant)
            measured.journal.append(record(variant.name, 1, 1, **more))

    def standing() -> list[str]:
        return [variant for _, variant, _ in bench().standing()]

    measure()
    assert standing() == ["A", "B"]
    change(repository / "benchmarks/plain/other.py", "OTHER = True\n")
    change(repository / "benchmarks/table.py", "OTHER = True\n")
    change(repository / "tools/compare.py", "OTHER = True\n")
    change(script, "# a comment\n")
    assert standing() == ["A", "B"]
    change(script, "OTHER = True\n")
    assert standing() == ["A"]
    measure()
    # What only records runs all the same, and takes its time.
    change(repository / "pipeline/tracking/runs.py", "OTHER = True\n")
    assert standing() == []
    measure()
    change(repository / "pipeline/figures/style.py", "OTHER = True\n")
    assert standing() == ["A", "B"]  # how a picture looks

    # Code that no commit has does not run, and what runs is not called by its digest.
    for path, kept in ((script, ["A"]), (repository / "stages/train.py", [])):
        with path.open("a") as file:
            file.write("UNCOMMITTED = True\n")
        assert standing() == []
        measure()
        assert standing() == ["A", "B"]
        git(repository, "commit", "--quiet", "--all", "-m", "what was not measured")
        assert standing() == kept


def test_what_fails_is_skipped_with_its_own_words(repository):
    pairs = repository / "pairs.yaml"
    pairs.write_text(PAIRS.replace("{epochs: 2}", "{epochs: 0}"))
    result = run("bench", "--file", "pairs.yaml", "--only", "toy")
    assert "bench: toy: skipped: A: epochs: " in result.stdout
    pairs.write_text(PAIRS.replace("{epochs: 2}", "{learning_rate: 99}"))
    result = run("bench", "--file", "pairs.yaml", "--only", "toy")
    assert "bench: toy: skipped: train: learning_rate: 99 is too high\n" in result.stdout
    assert result.returncode == 0
    result = run("bench", "--file", "pairs.yaml", "--only", "tow")
    assert result.stderr == "bench: --only: tow: no such pair; did you mean toy?\n"


def test_the_plain_script_finds_what_the_pipeline_finds(tmp_path, monkeypatch):
    """The quick pair with a tiny budget. One batch holds all images and nothing is
    dropped, so that their order does not matter: the losses are then the same."""
    text = (REPOSITORY / "experiments/benchmark.yaml").read_text()
    text = text.replace("{dataset: mnist_5k}", "{dataset: digits}").replace(
        "{model: two_block_cnn, epochs: 10}\n    rounds: 3",
        "{model: two_block_cnn, epochs: 4, batch_size: 2048, dropout: [0, 0]}\n    rounds: 1",
    )
    repository = Repository(tmp_path / "repository")
    repository.forked = False  # what is measured is what a person runs
    monkeypatch.chdir(repository.folder)
    (repository.folder / "experiments/benchmark.yaml").write_text(text)
    result = repository.run(*command("bench", "--quick"))
    assert result.returncode == 0, result.stdout + result.stderr
    found = json.loads((repository.folder / ".state/benchmark/benchmark.json").read_text())
    pair = found["pairs"]["pipeline"]
    assert [goal["median"] > 0 for goal in pair["goals"]] == [True, True, True]
    assert len(found["pairs"]["nothing-to-do"]["variants"]["dvc repro"]["seconds"]) == 1
    pipeline, plain = (pair["variants"][name] for name in ("dvc repro", "plain Keras"))
    assert pipeline["accuracy"] == pytest.approx(plain["accuracy"], abs=0.01)
    log = (repository.folder / ".state/benchmark/logs/mnist_5k.log").read_text()
    _, _, of_pipeline, of_plain, *_ = re.split("^# -m ", log, flags=re.MULTILINE)
    figures = [
        re.findall(r"(?:loss|accuracy): (\d\.\d+)", part) for part in (of_pipeline, of_plain)
    ]
    assert len(figures[0]) == 4 * 4
    assert list(map(float, figures[0])) == pytest.approx(list(map(float, figures[1])), abs=1e-3)
