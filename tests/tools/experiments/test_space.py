"""Search files: what Optuna may draw, and the line that each wrong one gets."""

from pathlib import Path

import optuna
import pytest

from pipeline.errors import PipelineError
from tools.experiments.experiment import Base
from tools.experiments.file import read_file
from tools.experiments.space import Space

GOOD = (
    "name: s\ndefaults: {epochs: 2}\nsearch:\n  trials: 3\n  space:\n"
    "    dropout: [{low: 0, high: 0.5}, {choices: [0.1, 0.2]}]\n"
    "    batch_size: {low: 8, high: 64, log: true}\n"
    "    optimizer: {choices: [adam, null]}\n"
)


def written(folder: Path, text: str) -> Path:
    path = folder / "search.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def space(path: Path, base: Base) -> Space:
    return Space(str(path), read_file(path), base)


def test_what_is_drawn_is_of_the_parameters_type_and_range(tmp_path, base):
    search = space(written(tmp_path, GOOD), base)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    drawn = [search.draw(study.ask()) for _ in range(40)]
    assert {type(values["batch_size"]) for values in drawn} == {int}
    assert all(8 <= values["batch_size"] <= 64 for values in drawn)
    assert len({values["batch_size"] for values in drawn}) > 5
    assert {values["optimizer"] for values in drawn} == {"adam", None}
    assert {values["dropout"][1] for values in drawn} == {0.1, 0.2}
    assert {type(values["dropout"][0]) for values in drawn} == {float}
    assert all(values["epochs"] == 2 for values in drawn)
    for values in drawn:
        base.changed("drawn", values)


WRONG = [
    ("low: 8, high", "low: 80, high", "search: space: batch_size: low: 80 is not below high, 64"),
    (
        "low: 8, high",
        "low: 8.5, high",
        "search: space: batch_size: low: expected a whole number, not 8.5",
    ),
    (
        "low: 8, high",
        "low: 0, high",
        "search: space: batch_size: low: 0: a logarithmic range begins above 0",
    ),
    (
        "log: true",
        "log: 3",
        "search: space: batch_size: log: input should be a valid boolean, not 3",
    ),
    ("log: true", "logg: true", "search: space: batch_size: logg: unknown key; did you mean log?"),
    ("low: 8, high: 64", "high: 64", "search: space: batch_size: low: missing"),
    (
        "high: 64, log: true",
        "choices: [1]",
        "search: space: batch_size: choices or low and high, not both",
    ),
    (
        "batch_size",
        "batchsize",
        "search: space: batchsize: unknown parameter; did you mean batch_size?",
    ),
    (
        "high: 0.5",
        "high: 1.5",
        "search: space: dropout: expected a number from 0 to below 1, or a list, not [1.5, 0.1]",
    ),
    (
        "adam, null",
        "adam, adamw",
        "search: space: optimizer: input should be 'adam', 'rmsprop', 'sgd' or 'muon', not 'adamw'",
    ),
    (
        "{epochs: 2}",
        "{optimizer: sgd}",
        "search: space: optimizer: stands under defaults too; keep one of the two",
    ),
    (
        "{epochs: 2}",
        "{validation_fraction: 0}",
        "search: space: validation_fraction: 0 leaves nothing to choose by; set it above 0",
    ),
    ("trials: 3", "trials: 0", "search: trials: input should be greater than or equal to 1, not 0"),
    ("  trials: 3\n", "", "search: trials: missing"),
]


@pytest.mark.parametrize(("right", "wrong", "line"), WRONG)
def test_a_wrong_file_is_one_line(right, wrong, line, tmp_path, base):
    assert right in GOOD
    path = written(tmp_path, GOOD.replace(right, wrong))
    with pytest.raises(PipelineError) as error:
        space(path, base)
    assert str(error.value) == f"{path}: {line}"
