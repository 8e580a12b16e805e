"""`benchmarks.growth`: exponents, the table, the drawn images, and a place through all stages."""

import zipfile
from pathlib import Path

import pytest

from benchmarks import curves, growth
from benchmarks.growth import NETWORKS, STAGES, Place, measure, places
from benchmarks.page import write_between
from benchmarks.synthetic import write_archive
from pipeline.errors import PipelineError
from tests.support import REPOSITORY


def point(at: int, **stages: tuple[float, float, float]) -> dict[str, object]:
    named = {
        stage: dict(zip(("seconds", "cpu", "mib"), values, strict=True))
        for stage, values in stages.items()
    }
    return {"at": at, "stages": named, "others": 0.0, "date": "2026-01-01"}


SQUARE = [
    point(10, prepare=(3.0, 6.0, 100), twins=(2.0, 1.0, 100), params=(0.4, 0.4, 90)),
    point(100, prepare=(30.0, 60.0, 100), twins=(200.0, 10.0, 200), params=(0.4, 0.4, 90)),
    point(1000, prepare=(300.0, 600.0, 100), twins=(20000.0, 100.0, 400), params=(0.4, 0.4, 90)),
]


def test_the_exponent_is_the_power():
    assert curves.slope([1, 10, 100], [5, 500, 50_000]) == pytest.approx(2)
    found = curves.curves(SQUARE, "seconds")
    assert found["twins"].exponent == pytest.approx(2)
    assert found["prepare"].exponent == pytest.approx(1)
    bent = curves.Curve([10, 100, 1000], [5.0, 5.0, 50.0])
    assert bent.exponent == pytest.approx(0.5)
    assert bent.last == pytest.approx(1)


def test_the_table_leaves_out_what_stands_still():
    lines = curves.table("images", SQUARE).splitlines()
    assert lines[0].startswith("| stage | seconds at 10 · 100 · 1,000 images | k, at the end | ")
    assert [line.split(" | ")[0] for line in lines[2:]] == ["| `prepare`", "| `twins`"]
    assert "| 2.0 · 200.0 · 20,000.0 | 2.00, 2.00 | 1.0 · 10.0 · 100.0 | 1.00, 1.00 |" in lines[3]
    assert lines[3].endswith("| 100 · 200 · 400 | 0.30, 0.30 |")
    assert len({line.count("|") for line in lines}) == 1


def test_nothing_that_grows_is_said():
    still = [point(at, params=(0.4, 0.4, 90)) for at in (10, 100)]
    expected = "At 10 · 100 classes every stage takes as much of the processors."
    assert curves.table("classes", still) == expected


def test_the_picture_is_one():
    assert curves.picture("images", SQUARE).startswith(b"\x89PNG")


def test_drawn_images_are_the_same_bytes_and_all_different(tmp_path):
    one, other = tmp_path / "one.zip", tmp_path / "other.zip"
    for path in (one, other):
        write_archive(path, 12, 16, 4)
    assert one.read_bytes() == other.read_bytes()
    with zipfile.ZipFile(one) as archive:
        names = archive.namelist()
        assert len({archive.read(name) for name in names}) == 12
    assert len({name.split("/")[0] for name in names}) == 4


def test_each_quantity_grows_and_the_others_are_held():
    for reduced in (True, False):
        found = list(places(reduced))
        for axis in dict.fromkeys(place.axis for place in found):
            mine = [place for place in found if place.axis == axis]
            varied = {
                name
                for name in ("images", "pixels", "classes", "model")
                if len({getattr(place, name) for place in mine}) > 1
            }
            assert len(varied) == 1, axis
    assert next(places(False)).images == 2_000
    assert {place.classes for place in places(False)} == {10, 100, 1_000}
    assert max(place.images for place in places(False)) == 200_000
    assert len(NETWORKS) == 3


def test_the_page_gets_the_tables_between_its_lines(tmp_path):
    path = tmp_path / "speed.md"
    path.write_text(f"before\n\n{growth.START}\nold\n{growth.END}\n\nafter\n")
    write_between(path, growth.START, growth.END, growth.page({"images": SQUARE}, "a machine"))
    text = path.read_text()
    assert text.startswith("before\n\n")
    assert text.endswith("\n\nafter\n")
    assert "old" not in text
    assert "a machine; 2026-01-01; one run each." in text
    path.write_text("nothing")
    with pytest.raises(PipelineError, match="expected the lines"):
        write_between(path, growth.START, growth.END, "")
    assert growth.START in (REPOSITORY / growth.PAGE).read_text()


def test_a_busy_machine_is_said():
    busy = [{**each, "others": 0.6} for each in SQUARE]
    assert "up to 60% of the processors" in growth.page({"images": busy}, "a machine")


@pytest.mark.slow
def test_a_place_runs_through_all_stages(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    found = measure(Place("parameters", 60, pixels=16, classes=3, model="tiny_cnn"), tmp_path)
    assert tuple(found["stages"]) == STAGES
    assert all(each["seconds"] > 0 and each["mib"] > 10 for each in found["stages"].values())
    assert 1_000 < found["at"] < 100_000
