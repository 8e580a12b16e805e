"""The table of exported files: medians, ratios, and its place in a page."""

from pathlib import Path

import pytest

from benchmarks import exported
from benchmarks.page import write_between
from pipeline.errors import PipelineError


def row(title: str, size: int, *values: float) -> exported.Row:
    found = [
        {"load_seconds": v, "single_ms": v, "images_per_second": v, "peak_mib": v} for v in values
    ]
    return exported.Row(title, "onnx", Path("x"), size, found)


def test_medians_and_ratios():
    rows = [row("Keras, predict", 2 << 20, 40, 50, 90), row("ONNX Runtime", 1 << 20, 4, 5, 60)]
    head, _, first, second, _, words = exported.table(rows, 3, 0.2).splitlines()
    assert head.startswith("| | size, MiB |")
    assert first == "| Keras, predict | 2.0 | 50.00 | 50.00 | 1.000 | 50 | 50 |"
    assert second == "| ONNX Runtime | 1.0 | 5.00 | 5.00 | 0.100 | 5 | 5 |"
    assert words.endswith(
        "other programs used 20% of the processors meanwhile, so read the ratios."
    )


def test_its_place_in_a_page(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"before\n{exported.START}\nold\n{exported.END}\nafter\n")
    for text in ("one", "two"):
        write_between(page, exported.START, exported.END, text)
        expected = f"before\n{exported.START}\n\n{text}\n\n{exported.END}\nafter\n"
        assert page.read_text() == expected
    page.write_text("nothing")
    with pytest.raises(PipelineError, match=r"page.md: expected the lines"):
        write_between(page, exported.START, exported.END, "one")


def test_nothing_to_measure(workspace):
    with pytest.raises(PipelineError, match=r"^data/model/model.keras: not there; run `dvc repro`"):
        exported.main([])
