"""The published rows: their commands, the data at hand, the table."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.text import Text

from benchmarks.publication import table as publication
from benchmarks.publication.picture import draw_tuning_log
from benchmarks.publication.rows import chosen, read_rows
from benchmarks.publication.table import Place
from pipeline.errors import PipelineError
from pipeline.figures import style
from pipeline.figures.style import png
from tests.support import REPOSITORY
from tests.tools.experiments.support import run_of
from tools.runs.run import Outcome

ROWS = REPOSITORY / "experiments" / "published.yaml"


def named(rows, name):
    return next(row for row in rows if row.name == name)


def test_the_rows_are_those_of_the_sources(base):
    rows = read_rows(ROWS, base, {}, quick=False)
    fourth = named(rows, "cifar10-fourth")
    assert fourth.published_words == "0.7837, 1,889.9 s"
    assert fourth.command == (
        "dvc exp run -n published-cifar10-fourth -S dataset=cifar10 -S validation_fraction=0 "
        "-S model=two_block_cnn -S 'dropout=[0.1,0.8]' -S epochs=50 -S batch_size=128"
    )
    seeds = [each.parameters["seed"] for each in named(rows, "mnist-deep").experiments]
    assert seeds == [777, 778, 779]
    assert [row.name for row in rows if row.open] == ["cifar100", "cifar100-fourth"]
    assert "cifar100" not in [row.name for row in chosen(rows, [])]
    assert [row.name for row in chosen(rows, ["cifar100"])] == ["cifar100"]
    with pytest.raises(PipelineError, match="--only: mnst: no such row; did you mean mnist"):
        chosen(rows, ["mnst"])


def test_a_folder_in_place_of_a_data_set(tmp_path, base):
    row = named(read_rows(ROWS, base, {"cifar100": tmp_path}, quick=False), "cifar100")
    assert not row.open
    assert row.experiments[0].parameters["dataset"] == str(tmp_path)
    assert str(tmp_path) not in row.command
    assert '-S dataset="$CIFAR100"' in row.command
    with pytest.raises(PipelineError, match="--data: cifar11: no such data set; did you mean cif"):
        read_rows(ROWS, base, {"cifar11": tmp_path}, quick=False)


def test_the_quick_form_has_every_row_on_tiny_digits(base):
    rows = read_rows(ROWS, base, {}, quick=True)
    assert not [row for row in rows if row.open]
    for row in rows:
        (experiment,) = row.experiments
        assert experiment.parameters["dataset"] == "digits"
        assert experiment.parameters["epochs"] == 1
        assert experiment.parameters["model"] == row.overrides["model"]


def test_the_table_says_what_came_out_and_what_stands_in_it_stays(tmp_path, base):
    rows = read_rows(ROWS, base, {}, quick=False)
    place = Place(tmp_path)
    deep, open_row = named(rows, "mnist-deep"), named(rows, "cifar100")
    lines = {
        "mnist-deep": publication.line_of(
            deep, [run_of(0.90, seconds=10), run_of(0.94, seconds=10)], "0123456789abcdef"
        ),
        "cifar100": publication.open_line(open_row, open_row.open),
    }
    publication.write_table(place, rows, lines)
    with place.csv.open(newline="") as file:
        first, second = csv.DictReader(file)
    assert (first["name"], first["accuracy"]) == ("cifar100", "")
    assert first["note"].startswith("open: CIFAR-100 comes from")
    assert (second["accuracy"], second["spread"]) == ("0.9200", "0.0283")
    assert (second["seconds"], second["seeds"]) == ("10.0", "777 778 779")
    assert second["commit"] == "0123456789"
    text = place.markdown.read_text()
    assert (
        "| PyTorch notes, deeper | MNIST, all 60,000 | mnist_deep_cnn | 0.5 | 15 | 100 | deeper is not always better | 0.9200 ± 0.0283 | – | 10.0 | 0.9000 |"
        in text
    )
    assert "Note: open: CIFAR-100 comes from its author's server alone" in text
    assert list(publication.read_done(place, rows)) == ["mnist-deep"]
    # Another command is another row, whatever its name.
    text = ROWS.read_text().replace("model: mnist_deep_cnn, dropout: 0.5", "model: mnist_deep_cnn")
    (tmp_path / "rows.yaml").write_text(text)
    changed = read_rows(tmp_path / "rows.yaml", base, {}, quick=False)
    assert publication.read_done(place, changed) == {}


def extents(figure: Any) -> tuple[Any, dict[str, Any]]:
    """The page and the place of each text on it, in pixels."""
    figure.canvas.draw()
    found = figure.findobj(lambda artist: isinstance(artist, Text) and artist.get_text())
    return figure.bbox, {text.get_text(): text.get_window_extent() for text in found}


def test_the_picture_shows_the_rows_of_the_tuning_log_that_have_run(tmp_path, base, monkeypatch):
    rows = read_rows(ROWS, base, {}, quick=False)
    path = tmp_path / "p.png"
    assert not draw_tuning_log(path, rows, {})
    assert not path.exists()
    data = "CIFAR-10, all 50,000"
    lines = {
        name: publication.line_of(named(rows, name), [run_of(value)], "0" * 40)
        for name, value in (("cifar10-first", 0.74), ("cifar10-fourth", 0.76))
    }
    drawn = []
    monkeypatch.setattr(style, "png", lambda figure: drawn.append(extents(figure)) or png(figure))
    assert draw_tuning_log(path, rows, lines)
    ((page, texts),) = drawn
    assert any(data in text for text in texts)
    for box in texts.values():
        assert page.x0 <= box.x0
        assert box.x1 <= page.x1
        assert page.y0 <= box.y0
        assert box.y1 <= page.y1
    once = path.read_bytes()
    assert once.startswith(b"\x89PNG")
    draw_tuning_log(path, rows, lines)
    assert path.read_bytes() == once
    lines["cifar10-fourth"]["accuracy"] = "0.6"
    draw_tuning_log(path, rows, lines)
    assert path.read_bytes() != once


def test_a_row_of_a_wrong_file_is_one_line(tmp_path, base):
    path: Path = tmp_path / "rows.yaml"
    for text, line in (
        (
            "experiments: [{name: a, data: d, overrides: {epoch: 1}}]",
            "a: epoch: unknown parameter; did you mean epochs?",
        ),
        (
            "rows: [{name: a}]",
            "rows: unknown key; known: name, defaults, seeds, folds, grid, experiments, search, "
            "resources",
        ),
        (
            "experiments: [{name: a, expected: {acuracy: 1}}]",
            "a: expected: acuracy: unknown key; did you mean accuracy?",
        ),
    ):
        path.write_text(text)
        with pytest.raises(PipelineError) as error:
            read_rows(path, base, {}, quick=False)
        assert str(error.value) == f"{path}: {line}"


def with_outcome(accuracy: float, right: list[bool]) -> Any:
    run = run_of(accuracy)
    run.results.outcome = Outcome(np.array(right), "the same images")
    run.test_digest = "the same test part"
    return run


def test_the_difference_has_the_interval_of_two_shares(base):
    """Far from 0 and 1, and for many images, it is the plain one of the standard error."""
    row = named(read_rows(ROWS, base, {}, quick=False), "cifar10-fourth")
    right = [True] * 760 + [False] * 240
    line = publication.line_of(row, [with_outcome(0.76, right)], "0" * 40)
    assert line["difference"] == "-2.37"
    low, high = float(line["low"]), float(line["high"])
    # 1,000 images: the standard error of the difference is 1.88 points.
    assert low == pytest.approx(-2.37 - 1.96 * 1.88, abs=0.05)
    assert high == pytest.approx(-2.37 + 1.96 * 1.88, abs=0.05)


def test_two_rows_against_each_other():
    first = with_outcome(0.75, [True, True, True, False])
    second = with_outcome(0.25, [False, False, False, True])
    said = publication.compared([first], "mnist", [second])
    assert said == (
        "against mnist, by McNemar's test, seed by seed: 3 images right here alone, 1 there "
        "(p = 0.38)"
    )
    assert publication.compared([first], "mnist", []) == ""
