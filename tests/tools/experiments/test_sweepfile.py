"""Sweep files: what is read, and the line that each wrong one gets."""

from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from tools.experiments.experiment import Base, parameters_of
from tools.experiments.sweepfile import read_sweep


def written(folder: Path, text: str) -> Path:
    path = folder / "sweep.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_defaults_are_every_experiments_and_overrides_win(tmp_path, base):
    path = written(
        tmp_path,
        "defaults: {dataset: digits, epochs: 3}\n"
        "experiments:\n"
        "  - name: first\n"
        "  - {name: second, overrides: {epochs: 7, dropout: [0.1, 0.2]}}\n",
    )
    first, second = read_sweep(path, base)
    assert (first.name, first.group) == ("first", "first")
    assert first.parameters == {**base.values, "dataset": "digits", "epochs": 3}
    assert second.parameters["epochs"] == 7
    assert second.parameters["dropout"] == [0.1, 0.2]


def test_seeds_repeat_an_experiment_on_the_same_split(tmp_path, base):
    path = written(
        tmp_path,
        "seeds: 2\nexperiments:\n  - {name: a, seeds: 5, overrides: {seed: 7}}\n  - {name: b}\n",
    )
    found = read_sweep(path, base)
    assert [each.name for each in found[:5]] == [f"a-seed{seed}" for seed in range(7, 12)]
    assert [each.parameters["seed"] for each in found] == [7, 8, 9, 10, 11, 42, 43]
    assert {each.group for each in found[:5]} == {"a"}
    assert {each.parameters["split_seed"] for each in found} == {42}


WRONG = [
    (
        "experiments: [{name: a, overides: {}}]",
        "experiment 1: overides: unknown key; did you mean overrides?",
    ),
    ("defualts: {}\nexperiments: [{name: a}]", "defualts: unknown key; did you mean defaults?"),
    (
        "experiments: [{name: a}, {name: b}, {name: a}]",
        "a: 2 experiments have this name; rename one",
    ),
    (
        "experiments: [{name: a, seeds: 2}, {name: a-seed43}]",
        "a-seed43: 2 experiments have this name; rename one",
    ),
    (
        "experiments: [{name: a, overrides: {dropuot: 0.1}}]",
        "a: dropuot: unknown parameter; did you mean dropout?",
    ),
    (
        "defaults: {epoch: 1}\nexperiments: [{name: a}]",
        "defaults: epoch: unknown parameter; did you mean epochs?",
    ),
    (
        "experiments: [{name: a, overrides: {dropout: 1.5}}]",
        "a: dropout: expected a number from 0 to below 1, or a list, not 1.5",
    ),
    (
        "experiments: [{name: a, overrides: {dropout: [0.1]}}]",
        "a: dropout: 1 rates for two_block_cnn, which has 2 places (published: [0.25, 0.2])",
    ),
    (
        "experiments: [{name: a, overrides: {model: mnist_cn}}]",
        "a: model: mnist_cn: unknown model; did you mean mnist_cnn?",
    ),
    (
        "experiments: [{name: a, overrides: {dataset: digit}}]",
        "a: dataset: digit: unknown data set; did you mean digits?",
    ),
    ("experiments: [{name: a, seeds: 0}]", "a: seeds: expected a whole number from 1, not 0"),
    ("experiments: [{name: a, seeds: 2.5}]", "a: seeds: expected a whole number from 1, not 2.5"),
    (
        "experiments: [{name: a, overrides: {seed: 4294967295}, seeds: 2}]",
        "a: seed: input should be less than or equal to 4294967295, not 4294967296",
    ),
    ("experiments: []", "experiments: expected a list, not []"),
    ("defaults: {}", "experiments: missing"),
    ("experiments: [{overrides: {}}]", "experiment 1: name: missing"),
    (
        "experiments: [{name: a/b}]",
        "experiment 1: name: expected letters, digits, '-', '_' and '.' (quote a number), not 'a/b'",
    ),
    (
        "experiments: [{name: 12}]",
        "experiment 1: name: expected letters, digits, '-', '_' and '.' (quote a number), not 12",
    ),
    (
        "experiments: [{name: a.lock}]",
        "experiment 1: name: a.lock: Git allows no name that ends in .lock",
    ),
    ("experiments: [a]", "experiment 1: expected `key: value` lines, not 'a'"),
    (
        "experiments: [{name: a, overrides: [1]}]",
        "a: overrides: expected `key: value` lines, not [1]",
    ),
    ("", "expected `key: value` lines, not nothing"),
    (
        "experiments: [{name: a}]\nexperiments: [{name: b}]",
        "line 2: a key stands twice; keep one of the two",
    ),
    ("experiments: [", "line 1: not YAML: expected the node content, but found '<stream end>'"),
]


@pytest.mark.parametrize(("text", "line"), WRONG)
def test_a_wrong_file_is_one_line(text, line, tmp_path, base):
    path = written(tmp_path, text)
    with pytest.raises(PipelineError) as error:
        read_sweep(path, base)
    assert str(error.value) == f"{path}: {line}"


def test_a_file_that_is_not_there_or_not_text_is_one_line(tmp_path, base):
    with pytest.raises(PipelineError, match=r"nowhere.yaml: No such file or directory$"):
        read_sweep(tmp_path / "nowhere.yaml", base)
    path = tmp_path / "latin.yaml"
    path.write_bytes("name: é".encode("latin-1"))
    with pytest.raises(PipelineError, match=r"latin.yaml: not UTF-8 \(byte 6\); save it as UTF-8$"):
        read_sweep(path, base)


def test_the_written_params_keep_their_comments_and_give_the_values_back(base: Base):
    values = base.changed(
        "a", {"dropout": [0.25, 0.5], "learning_rate": 1e-5, "model": "two_block_cnn"}
    )
    text = base.written(values)
    assert parameters_of(text) == values
    assert "# adam, rmsprop, sgd, or muon, for few epochs of large batches.\n" in text
    assert base.written(base.values) == base.text


def test_the_examples_in_the_repository_are_right(base):
    from benchmarks.publication.rows import read_rows
    from tests.support import REPOSITORY
    from tools.experiments.searchfile import read_search

    folder = REPOSITORY / "experiments"
    assert len(read_sweep(folder / "example.yaml", base)) == 12
    assert read_search(folder / "search.yaml", base).trials == 12
    assert len(read_rows(folder / "published.yaml", base, None, quick=False)) == 13
