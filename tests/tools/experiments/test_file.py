"""Experiment files: what is read, and the line that each wrong one gets."""

from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from tools.experiments.experiment import Base, Experiment, parameters_of
from tools.experiments.file import read_file


def written(folder: Path, text: str) -> Path:
    path = folder / "sweep.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def expanded(path: Path, base: Base) -> list[Experiment]:
    return read_file(path).expanded(str(path), base)


def test_defaults_are_every_experiments_and_overrides_win(tmp_path, base):
    path = written(
        tmp_path,
        "defaults: {dataset: digits, epochs: 3}\n"
        "experiments:\n"
        "  - name: first\n"
        "  - {name: second, overrides: {epochs: 7, dropout: [0.1, 0.2]}}\n",
    )
    first, second = expanded(path, base)
    assert (first.name, first.group) == ("first", "first")
    assert first.parameters == {**base.values, "dataset": "digits", "epochs": 3}
    assert second.parameters["epochs"] == 7
    assert second.parameters["dropout"] == [0.1, 0.2]


def test_seeds_repeat_an_experiment_on_the_same_split(tmp_path, base):
    path = written(
        tmp_path,
        "seeds: 2\nexperiments:\n  - {name: a, seeds: 5, overrides: {seed: 7}}\n  - {name: b}\n",
    )
    found = expanded(path, base)
    assert [each.name for each in found[:5]] == [f"a-seed{seed}" for seed in range(7, 12)]
    assert [each.parameters["seed"] for each in found] == [7, 8, 9, 10, 11, 42, 43]
    assert {each.group for each in found[:5]} == {"a"}
    assert {each.parameters["split_seed"] for each in found} == {42}


def test_folds_repeat_an_experiment_alone_and_with_seeds(tmp_path, base):
    text = "folds: 3\nexperiments:\n  - {name: a}\n  - {name: b, seeds: 2, folds: 2}\n"
    found = expanded(written(tmp_path, text), base)
    assert [each.name for each in found] == [
        *(f"a-fold{fold}" for fold in range(3)),
        *(f"b-seed{seed}-fold{fold}" for seed in (42, 43) for fold in range(2)),
    ]
    assert [each.parameters["fold"] for each in found] == [0, 1, 2, 0, 1, 0, 1]
    assert [each.parameters["folds"] for each in found] == [3, 3, 3, 2, 2, 2, 2]
    assert {each.group for each in found} == {"a", "b"}


def test_a_grid_is_each_combination_of_the_list_or_alone(tmp_path, base):
    grid = "grid: {dropout: [[0.1, 0.2], 0.5], optimizer: [adam, null]}\n"
    alone = expanded(written(tmp_path, f"name: g\n{grid}"), base)
    assert [each.name for each in alone] == [
        "g-dropout-0.1-0.2-optimizer-adam",
        "g-dropout-0.1-0.2-optimizer-none",
        "g-dropout-0.5-optimizer-adam",
        "g-dropout-0.5-optimizer-none",
    ]
    assert alone[1].parameters == {**base.values, "dropout": [0.1, 0.2], "optimizer": None}
    listed = expanded(
        written(
            tmp_path,
            f"{grid}seeds: 2\nexperiments: [{{name: a}}, {{name: b, grid: {{epochs: [1, 2]}}}}]",
        ),
        base,
    )
    assert len(listed) == 2 * (4 + 8)
    last = listed[-1]
    assert last.name == "b-dropout-0.5-optimizer-none-epochs-2-seed43"
    assert last.group == "b-dropout-0.5-optimizer-none-epochs-2"
    assert (last.parameters["epochs"], last.parameters["seed"]) == (2, 43)


WRONG = [
    (
        "grid: {epochs: [1, 2]}\nexperiments: [{name: a, overrides: {epochs: 3}}]",
        "experiments: a: epochs: stands under overrides and in a grid; keep one of the two",
    ),
    ("grid: {epochs: 3}", "grid: epochs: expected a list, not 3"),
    ("grid: {epoch: [3]}", "sweep-epoch-3: epoch: unknown parameter; did you mean epochs?"),
    (
        "seeds: 3\nsearch: {trials: 1, space: {epochs: {low: 1, high: 2}}}",
        "seeds: does not go with a search; give it a file of its own",
    ),
    (
        "experiments: [{name: a, expected: {acuracy: 1}}]",
        "a: expected: acuracy: unknown key; did you mean accuracy?",
    ),
    (
        "folds: 3\nexperiments: [{name: a, overrides: {fold: 1}}]",
        "a: fold: stands under overrides or in a grid, and folds beside it; keep one of the two",
    ),
    (
        "experiments: [{name: a, folds: 1}]",
        "a: folds: input should be greater than or equal to 2, not 1",
    ),
    (
        "experiments: [{name: a, overides: {}}]",
        "a: overides: unknown key; did you mean overrides?",
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
    (
        "experiments: [{name: a, seeds: 0}]",
        "a: seeds: input should be greater than or equal to 1, not 0",
    ),
    ("experiments: [{name: a, seeds: 2.5}]", "a: seeds: expected a whole number, not 2.5"),
    (
        "experiments: [{name: a, overrides: {seed: 4294967295}, seeds: 2}]",
        "a: seed: input should be less than or equal to 4294967295, not 4294967296",
    ),
    (
        "experiments: []",
        "experiments: list should have at least 1 item after validation, not 0, not []",
    ),
    ("defaults: {}", "expected experiments, a grid or a search"),
    ("experiments: [{overrides: {}}]", "experiments 1: name: missing"),
    (
        "experiments: [{name: a/b}]",
        "a/b: name: expected letters, digits, '-', '_' and '.' (quote a number), not 'a/b'",
    ),
    (
        "experiments: [{name: 12}]",
        "experiments 1: name: expected letters, digits, '-', '_' and '.' (quote a number), not 12",
    ),
    (
        "experiments: [{name: a.lock}]",
        "a.lock: name: a.lock: Git allows no name that ends in .lock",
    ),
    ("experiments: [a]", "experiments 1: expected `name: value` lines, not 'a'"),
    (
        "experiments: [{name: a, overrides: [1]}]",
        "a: overrides: expected `name: value` lines, not [1]",
    ),
    ("", "empty; `git checkout sweep.yaml` brings it back"),
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
        expanded(path, base)
    assert str(error.value) == f"{path}: {line}"


def test_a_file_that_is_not_there_or_not_text_is_one_line(tmp_path, base):
    with pytest.raises(PipelineError, match=r"nowhere.yaml: not found in "):
        expanded(tmp_path / "nowhere.yaml", base)
    path = tmp_path / "latin.yaml"
    path.write_bytes("name: é".encode("latin-1"))
    with pytest.raises(
        PipelineError, match=r"latin.yaml: not UTF-8 \(byte 6\); save the file as UTF-8$"
    ):
        expanded(path, base)


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
    from tools.experiments.space import Space

    folder = REPOSITORY / "experiments"
    assert len({each.name for each in expanded(folder / "example.yaml", base)}) == 12
    assert Space("", read_file(folder / "search.yaml"), base).search.trials == 12
    assert len(read_rows(folder / "published.yaml", base, {}, quick=False)) == 14
