"""A table of the answers, and images sorted into folders by class."""

import csv
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import PipelineError
from tests.tools.serving.training import write_model, write_pictures
from tools import predict
from tools.predicting import outcome
from tools.serving.engine import Answer

ROWS = {"a": [0.9, 0.1], "b": [0.45, 0.55], "c": [0.2, 0.8]}


def pictures(folder: Path) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    for name in ROWS:
        (folder / f"{name}.png").write_text(name)
    return [folder / f"{name}.png" for name in ROWS]


def sort(sorter: outcome.Sorter, paths: list[Path]) -> list[str]:
    for path in paths:
        sorter.keep(path, Answer(np.array(ROWS[path.stem], "float32")))
    return sorted(str(p.relative_to(sorter.folder)) for p in sorter.folder.rglob("*.png"))


def test_copies_by_class(tmp_path):
    paths = pictures(tmp_path / "in")
    sorter = outcome.Sorter(tmp_path / "out", ["x", "y"], paths)
    assert sort(sorter, paths) == ["x/a.png", "y/b.png", "y/c.png"]
    assert (tmp_path / "out/x/a.png").read_text() == "a"
    assert not (tmp_path / "out/x/a.png").is_symlink()
    assert paths[0].exists()
    assert sorter.in_words() == f"3 images copied into {tmp_path / 'out'}: 2 y and 1 x"


def test_links_and_what_is_unsure(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    paths = pictures(Path("in"))
    sorter = outcome.Sorter(Path("out"), ["x", "y"], paths, link=True, unsure=0.6)
    assert sort(sorter, paths) == ["unsure/b.png", "x/a.png", "y/c.png"]
    assert Path("out/x/a.png").resolve() == paths[0].resolve()
    assert Path("out/x/a.png").is_symlink()


def test_the_same_name_twice_and_odd_classes(tmp_path):
    paths = [*pictures(tmp_path / "in"), *pictures(tmp_path / "in" / "more")]
    sorter = outcome.Sorter(tmp_path / "out", ["unsure", "../y"], paths, unsure=0.6)
    found = sort(sorter, paths)
    assert found == [
        *("-y/c-2.png", "-y/c.png", "unsure/a-2.png", "unsure/a.png"),
        *("unsure_/b-2.png", "unsure_/b.png"),
    ]


def test_folders_that_are_refused(tmp_path):
    paths = pictures(tmp_path / "in")
    with pytest.raises(PipelineError, match=r"^--sort-into: .*in: not an empty folder$"):
        outcome.Sorter(tmp_path / "in", ["x", "y"], paths)
    (tmp_path / "file").write_text("")
    with pytest.raises(PipelineError, match="not an empty folder"):
        outcome.Sorter(tmp_path / "file", ["x", "y"], paths)


@pytest.fixture
def model(workspace):
    return write_model()


def test_the_table(model, capsys):
    write_pictures(Path("in"), 4)
    Path("in/bad.png").write_text("no")
    assert predict.main(["in", "--csv", "out/table.csv"]) == 1
    printed = capsys.readouterr()
    assert printed.out == "predict: 4 images in out/table.csv\n"
    assert "predict: in/bad.png: not an image of a known format" in printed.err
    with Path("out/table.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert "unlike_training" not in rows[0]
    assert [row["image"] for row in rows] == [f"in/{i}.png" for i in range(4)]
    for row in rows:
        shares = {name: float(row[f"p_{name}"]) for name in ("cat", "dog", "ox")}
        assert row["class"] == max(shares, key=lambda name: shares[name])
        assert float(row["probability"]) == max(shares.values())
        assert sum(shares.values()) == pytest.approx(1, abs=1e-5)


def test_sorted_by_the_command(model, capsys):
    write_pictures(Path("in"), 4)
    assert predict.main(["in", "--sort-into", "out", "--unsure", "1"]) == 0
    assert capsys.readouterr().out == "predict: 4 images copied into out: 4 unsure\n"
    assert len(list(Path("out/unsure").iterdir())) == 4
    with pytest.raises(PipelineError, match="name --sort-into FOLDER"):
        predict.main(["in", "--unsure", "0.6"])
