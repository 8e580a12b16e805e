"""model_card.md: what it says, and that Hugging Face can read its block."""

from pathlib import Path

import pytest
import yaml

from pipeline.datasets.resizing import Resize
from pipeline.figures.headline import wilson_interval
from pipeline.runtime import files
from tests.support import write_prepared
from tools.exporting import card
from tools.exporting.scores import scores
from tools.exporting.source import Source
from tools.runs.run import Results, Run
from tools.serving.model import Trained

ROWS = [("a", "a", 0.9)] * 6 + [("a", "b", 0.6)] * 2 + [("b", "b", 0.8)] * 11 + [("b", "a", 0.7)]


@pytest.fixture
def source(workspace) -> Source:
    dataset = write_prepared(2) | {"classes": ["a", "b"], "title": "Bars | and pipes"}
    lines = ["index,name,label,prediction,p_a,p_b"]
    for i, (label, found, sure) in enumerate(ROWS):
        pair = (sure, 1 - sure) if found == "a" else (1 - sure, sure)
        lines.append(f"{i},,{label},{found},{pair[0]},{pair[1]}")
    run = Run(
        *("id1", "name1", "MLflow", "FINISHED", 0.0, {}, {"train_seconds": 12.4}, Results()),
        experiments=["exp"],
        commit="abc+dirty",
        code="code1",
    )
    return Source(
        "name1",
        Trained(Path("m"), ["a", "b"], "it", Resize()),
        "digest1",
        Path("data/prepared"),
        dataset,
        {"model": "tiny_cnn", "dataset": "/home/somebody/pictures", "dropout": "[0.1, 0.2]"},
        run,
        {"predictions.csv": "\n".join(lines) + "\n"},
        {"pretrained_weights": "imagenet", "source": "here", "sha256": "w", "licence": "CC BY 4.0"},
        {"cpus": "2", "machine": "x86_64", "backend": "jax", "jax": "0.10", "keras": "3"},
    )


def test_the_scores():
    text = "index,name,label,prediction,p_a,p_b\n0,,a,a,0.9,0.1\n1,,a,b,0.2,0.8\n2,,b,b,0.3,0.7\n"
    found = scores({"predictions.csv": text})
    assert found is not None
    assert (found.images, found.accuracy) == (3, 2 / 3)
    assert (found.low, found.high) == wilson_interval(2, 3)
    assert found.confused == [("a", "b", 1)]
    worst = found.weakest[0]
    assert (worst.name, worst.images, worst.recall, worst.precision) == ("a", 2, 0.5, 1.0)
    assert scores({}) is None


def test_the_block_on_top(source):
    _, block, _ = card.text(source).split("---\n", 2)
    found = yaml.safe_load(block)
    assert found["license"] == "cc-by-4.0"
    assert found["pipeline_tag"] == "image-classification"
    (entry,) = found["model-index"]
    (result,) = entry["results"]
    assert result["dataset"] == {"name": "Bars | and pipes", "type": "bars", "split": "test"}
    assert result["metrics"] == [{"type": "accuracy", "value": 0.85, "name": "test accuracy"}]


def test_what_a_stranger_should_know(source):
    text = card.text(source)
    low, high = wilson_interval(17, 20)
    for part in (
        *(f"95% interval {low:.4f} to {high:.4f}", "Bars \\| and pipes", "made by the tests"),
        *("| train | 60 images (30 to 30 a class) |", "“a” taken for “b”: 2", "abc+dirty"),
        *("12 seconds on 2 processors (x86_64), Keras 3 with jax 0.10", "sha256:digest1"),
        *("DVC experiment exp", "| base’s licence | CC BY 4.0 |", "| dropout | [0.1, 0.2] |"),
        "| a | 8 | 75.0%",
    ):
        assert part in text, part
    assert "| dataset | pictures |" in text
    assert "/home/" not in text


def test_little_is_known(source):
    source.run, source.reports, source.weights, source.tags = None, {}, {}, {}
    source.dataset, source.parameters = {"name": "bars", "digest": "d"}, {}
    text = card.text(source)
    assert yaml.safe_load(text.split("---\n", 2)[1])["license"] == "unknown"
    assert "There is no record of its test" in text
    assert "none: it began with random weights" in text


def test_it_is_written_whole(source, tmp_path):
    assert card.write(tmp_path / "card.md", source).read_text() == card.text(source)
    assert files.sha256(tmp_path / "card.md")
