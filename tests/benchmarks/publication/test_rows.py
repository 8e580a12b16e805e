"""The published rows: their commands, the data at hand, the table."""

import csv
import zipfile
from pathlib import Path
from typing import Any

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

ROWS = REPOSITORY / "experiments" / "published.yaml"


def named(rows, name):
    return next(row for row in rows if row.name == name)


def test_the_rows_are_those_of_the_sources(base):
    rows = read_rows(ROWS, base, None, quick=False)
    fourth = named(rows, "cifar10-fourth")
    assert fourth.published_words == "0.7837, 1,889.9 s"
    assert fourth.command == (
        "dvc exp run -n published-cifar10-fourth -S dataset=cifar10 -S validation_fraction=0 "
        "-S model=two_block_cnn -S 'dropout=[0.1,0.8]' -S epochs=50 -S batch_size=128"
    )
    seeds = [each.parameters["seed"] for each in named(rows, "mnist-deep").experiments]
    assert seeds == [777, 778, 779, 780, 781]
    assert [row.name for row in rows if row.open] == ["cifar100"]
    assert "cifar100" not in [row.name for row in chosen(rows, [])]
    assert [row.name for row in chosen(rows, ["cifar100"])] == ["cifar100"]
    with pytest.raises(PipelineError, match="--only: mnst: no such row; did you mean mnist"):
        chosen(rows, ["mnst"])


def test_the_archive_takes_cifar10s_place_and_is_called_what_it_is(tmp_path, base):
    archive = tmp_path / "copies.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("train/cat/1.jpg", b"x")
    row = named(read_rows(ROWS, base, archive, quick=False), "cifar10-first")
    assert row.data == "CIFAR-10, all 50,000, JPEG copies"
    assert row.experiments[0].parameters["dataset"] == str(archive)
    assert str(tmp_path) not in row.command
    assert '-S dataset="$IMAGE_PIPELINE_CIFAR10"' in row.command


def test_the_quick_form_has_every_row_on_tiny_digits(base):
    rows = read_rows(ROWS, base, None, quick=True)
    assert not [row for row in rows if row.open]
    for row in rows:
        (experiment,) = row.experiments
        assert experiment.parameters["dataset"] == "digits"
        assert experiment.parameters["epochs"] == 1
        assert experiment.parameters["model"] == row.overrides["model"]


def test_the_table_says_what_came_out_and_what_stands_in_it_stays(tmp_path, base):
    rows = read_rows(ROWS, base, None, quick=False)
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
    assert (second["seconds"], second["seeds"]) == ("10.0", "777 778 779 780 781")
    assert second["commit"] == "0123456789"
    text = place.markdown.read_text()
    assert (
        "| PyTorch notes, deeper | MNIST, 4,000 of mnist_5k | mnist_deep_cnn | 0.5 | 15 | 100 | deeper is not always better | 0.9200 ± 0.0283 | 10.0 | 0.9000 |"
        in text
    )
    assert "Note: open: CIFAR-100 comes from its author's server alone" in text
    assert list(publication.read_done(place, rows)) == ["mnist-deep"]
    # Another command is another row, whatever its name.
    text = ROWS.read_text().replace("model: mnist_deep_cnn, dropout: 0.5", "model: mnist_deep_cnn")
    (tmp_path / "rows.yaml").write_text(text)
    changed = read_rows(tmp_path / "rows.yaml", base, None, quick=False)
    assert publication.read_done(place, changed) == {}


def extents(figure: Any) -> tuple[Any, dict[str, Any]]:
    """The page and the place of each text on it, in pixels."""
    figure.canvas.draw()
    found = figure.findobj(lambda artist: isinstance(artist, Text) and artist.get_text())
    return figure.bbox, {text.get_text(): text.get_window_extent() for text in found}


def test_the_picture_shows_the_rows_of_the_tuning_log_that_have_run(tmp_path, base, monkeypatch):
    rows = read_rows(ROWS, base, None, quick=False)
    path = tmp_path / "p.png"
    assert not draw_tuning_log(path, rows, {})
    assert not path.exists()
    copies = "CIFAR-10, all 50,000, JPEG copies"
    lines = {
        name: publication.line_of(named(rows, name), [run_of(value)], "0" * 40) | {"data": copies}
        for name, value in (("cifar10-first", 0.74), ("cifar10-fourth", 0.76))
    }
    drawn = []
    monkeypatch.setattr(style, "png", lambda figure: drawn.append(extents(figure)) or png(figure))
    assert draw_tuning_log(path, rows, lines)
    ((page, texts),) = drawn
    assert any(copies in text for text in texts)
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
            "rows: unknown key; known: name, defaults, seeds, grid, experiments, search",
        ),
        (
            "experiments: [{name: a, expected: {acuracy: 1}}]",
            "a: expected: acuracy: unknown key; did you mean accuracy?",
        ),
    ):
        path.write_text(text)
        with pytest.raises(PipelineError) as error:
            read_rows(path, base, None, quick=False)
        assert str(error.value) == f"{path}: {line}"
