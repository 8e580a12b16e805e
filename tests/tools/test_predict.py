"""`python -m tools.predict`: what it takes, what it says, and which model it asks."""

import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from pipeline.datasets.decode import decode
from pipeline.datasets.resizing import Resize
from pipeline.errors import PipelineError
from pipeline.evaluation import coverage
from pipeline.evaluation.reference import Reference, beside
from pipeline.tracking import start_run
from tests.tools.comparison.recording import track
from tests.tools.serving.training import (
    CLASSES,
    MODEL,
    encoded,
    odd_picture,
    picture,
    record,
    write_model,
    write_pictures,
    write_reference,
)
from tools import predict
from tools.serving import images
from tools.serving.model import workspace as workspace_model


@pytest.fixture
def model(workspace) -> keras.Model:
    return write_model()


@pytest.fixture
def tracked(workspace, tmp_path_factory, monkeypatch) -> Path:
    return track(workspace, tmp_path_factory, monkeypatch)


def lines(capsys, *arguments: str) -> list[dict]:
    """What `--json` prints for these arguments, all of which must be readable."""
    capsys.readouterr()
    assert predict.main([*arguments, "--json", "--top", "9"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def probabilities(answer: dict, classes: list[str] = CLASSES) -> list[float]:
    found = {one["class"]: one["probability"] for one in answer["top"]}
    return [found[name] for name in classes]


def test_a_prepared_image_gives_what_evaluate_gives(model, capsys):
    pixels = np.asarray(picture(1))[None, ..., None]
    Image.fromarray(pixels[0, ..., 0]).save("one.png")
    (answer,) = lines(capsys, "one.png")
    (expected,) = model.predict(pixels, verbose=0)
    np.testing.assert_allclose(probabilities(answer), expected, atol=1e-6)
    assert answer["image"] == "one.png"
    assert answer["class"] == CLASSES[expected.argmax()]
    assert answer["probability"] == max(probabilities(answer))
    assert [one["probability"] for one in answer["top"]] == sorted(probabilities(answer))[::-1]


def turned(image: Image.Image) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    return encoded(image, "JPEG", exif=exif)


@pytest.mark.parametrize(
    "data",
    [
        encoded(picture(1, "RGB", 30), "JPEG"),
        encoded(picture(2, "CMYK", 30), "JPEG"),
        encoded(picture(3, "RGBA", 30)),
        encoded(Image.fromarray(np.arange(900, dtype="uint16").reshape(30, 30) * 60)),
        encoded(picture(5, "P", 30), "GIF"),
        turned(picture(6, "RGB", 30).resize((40, 20))),
    ],
    ids=["colour", "CMYK", "alpha", "16 bits", "palette", "EXIF"],
)
def test_images_are_read_as_those_of_the_training(model, capsys, data):
    Path("photo").write_bytes(data)  # whatever its ending
    (answer,) = lines(capsys, "photo")
    pixels, _ = decode(data, (8, 8, 1), Resize())
    np.testing.assert_allclose(
        probabilities(answer), model.predict(pixels[None], verbose=0)[0], atol=1e-6
    )


def test_two_classes(workspace, capsys):
    model = write_model(classes=["cat", "dog"])
    write_pictures(Path(), 1)
    (answer,) = lines(capsys, "0.png")
    (dog,) = model.predict(np.asarray(picture(0))[None, ..., None], verbose=0)[0]
    np.testing.assert_allclose(probabilities(answer, ["cat", "dog"]), [1 - dog, dog], atol=1e-6)


def test_files_folders_and_globs_in_their_order(model, capsys):
    write_pictures(Path("b/below"), 1)
    write_pictures(Path("a"), 2)
    Path("b/.hidden.png").write_text("no")
    Path("b/notes.txt").write_text("no")
    found = [answer["image"] for answer in lines(capsys, "b", "a/1.png", "**/0.p?g")]
    assert found == ["b/below/0.png", "a/1.png", "a/0.png", "b/below/0.png"]


def test_what_a_person_reads(model, capsys):
    write_pictures(Path(), 2)
    assert predict.main(["0.png", "1.png", "--top", "2"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    name, _, answers = first.partition(": ")
    assert name == "0.png"
    (one, high), (two, low) = (part.split() for part in answers.split(", "))
    assert {one, two} < set(CLASSES)
    assert 1 >= float(high) >= float(low) >= 0
    assert second.startswith("1.png: ")


def test_one_bad_image_costs_a_line_and_not_the_others(model, capsys, monkeypatch):
    monkeypatch.setattr(images, "CHUNK", 2)
    paths = [str(path) for path in write_pictures(Path(), 5)]
    expected = {answer["image"]: answer for answer in lines(capsys, *paths)}
    Path("2.png").write_text("hello")
    Path("3.png").write_bytes(Path("1.png").read_bytes()[:60])
    assert predict.main([*paths, "--json", "--top", "9"]) == 1
    out, err = capsys.readouterr()
    found = [json.loads(line) for line in out.splitlines()]
    assert [answer["image"] for answer in found] == ["0.png", "1.png", "4.png"]
    for answer in found:
        np.testing.assert_allclose(
            probabilities(answer), probabilities(expected[answer["image"]]), atol=1e-6
        )
    told = [line for line in err.splitlines() if line.startswith("predict: ")]
    assert "predict: 2.png: not an image of a known format" in told
    assert any(line.startswith("predict: 3.png: damaged") for line in told)


def test_no_more_than_a_chunk_is_held(model, monkeypatch):
    monkeypatch.setattr(images, "CHUNK", 3)
    alive, most = [], []
    read = images.read

    def counting(path, shape, resize):
        alive.append(path)
        most.append(len(alive))
        return read(path, shape, resize)

    monkeypatch.setattr(images, "read", counting)
    with workspace_model() as found:
        asked = predict.opened(found, None)
    for i, _ in enumerate(predict.predictions(asked, write_pictures(Path("many"), 8), Resize())):
        if i % 3 == 2:
            alive.clear()
    assert max(most) == 3


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["none.jpg"], "predict: none.jpg: not there\n"),
        (["*.webp"], "predict: *.webp: no file fits this pattern\n"),
        (["data"], "predict: data: no image in this folder\n"),
        (["text.jpg"], "predict: text.jpg: not an image of a known format\n"),
    ],
)
def test_nothing_to_be_named_is_one_line(model, arguments, says, capsys):
    Path("text.jpg").write_text("hello")
    try:
        status: object = predict.main(arguments)
        err = capsys.readouterr().err
    except PipelineError as error:
        status, err = 1, f"predict: {error}\n"
    assert (status, err) == (1, says)


def test_no_model_yet(workspace):
    Path("a.png").write_bytes(encoded(picture(1)))
    with pytest.raises(PipelineError, match=r"^data/model/model.keras: not there; run `dvc repro`"):
        predict.main(["a.png"])


def test_class_names_of_another_model(model):
    write_pictures(Path(), 1)
    Path("data/prepared/dataset.json").write_text('{"classes": ["a", "b", "c", "d"]}')
    with pytest.raises(PipelineError, match=r"^the workspace's model: 3 outputs for 4 class names"):
        predict.main(["0.png"])


def test_any_run_by_any_of_its_names(tracked, monkeypatch, capsys):
    write_pictures(Path(), 1)
    answers = {}
    for name, seed in (("first", 1), ("second", 2)):
        monkeypatch.setenv("DVC_EXP_NAME", name)
        model = write_model(seed=seed)
        answers[name] = model.predict(np.asarray(picture(0))[None, ..., None], verbose=0)[0]
        run_id = record([0.5])
    monkeypatch.delenv("DVC_EXP_NAME")
    died = start_run({"model": "tiny_cnn"}, {})
    died.fail("train: no room")
    write_model(seed=3)
    for name, expected in (("first", "first"), ("second", "second"), (run_id, "second")):
        (answer,) = lines(capsys, "0.png", "--run", name)
        np.testing.assert_allclose(probabilities(answer), answers[expected], atol=1e-6)
    with pytest.raises(PipelineError, match=r"^frist: no such run; did you mean first\?$"):
        predict.main(["0.png", "--run", "frist"])
    with pytest.raises(PipelineError, match=r"this run is FAILED and has no model: train: no room"):
        predict.main(["0.png", "--run", str(died.run_id)])


def test_a_run_where_there_is_no_store(model):
    write_pictures(Path(), 1)
    with pytest.raises(PipelineError, match=r"^x: no such run; MLflow's runs cannot be read: sql"):
        predict.main(["0.png", "--run", "x"])
    assert not Path("mlflow.db").exists()


def test_the_best_where_none_is_registered(tracked, model):
    write_pictures(Path(), 1)
    with pytest.raises(PipelineError, match=r"^bars: no model of this data set is registered; `py"):
        predict.main(["0.png", "--best"])


def test_the_command_itself(model):
    """In a process of its own: no word of TensorFlow's among the answers, and the exit status."""
    write_pictures(Path(), 1)
    Path("text.jpg").write_text("hello")
    command = [sys.executable, "-m", "tools.predict", "0.png", "text.jpg"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500)
    assert done.returncode == 1
    assert done.stdout.count("\n") == 1
    assert done.stdout.startswith("0.png: ")
    assert done.stderr == "predict: text.jpg: not an image of a known format\n"


@pytest.fixture
def measured(model) -> Reference:
    """A reference beside the model, to which pictures like the first ones are usual."""
    pixels = np.stack([np.asarray(picture(i))[..., None] for i in range(40)])
    return write_reference(model, pixels, np.arange(40) % 3)


def test_sets_with_a_promise(model, measured, capsys):
    paths = write_pictures(Path(), 3)
    capsys.readouterr()
    assert predict.main([*map(str, paths), "--coverage", "0.8", "--json"]) == 0
    limit = coverage.threshold(measured.scores, 0.8)
    for i, line in enumerate(capsys.readouterr().out.splitlines()):
        (row,) = model.predict(np.asarray(picture(i))[None, ..., None], verbose=0)
        expected = {c for c, p in zip(CLASSES, row, strict=True) if 1 - p <= limit}
        found = {one["class"] for one in json.loads(line)["top"]}
        assert found == expected | {CLASSES[row.argmax()]}


def test_an_image_of_nothing_known_is_called_so(measured, capsys):
    (usual,) = write_pictures(Path(), 1)
    Image.fromarray(odd_picture()[..., 0]).save("odd.png")
    found = [answer["unlike_training"] for answer in lines(capsys, str(usual), "odd.png")]
    assert found == [False, True]
    predict.main([str(usual), "odd.png"])
    said = capsys.readouterr().out.splitlines()
    assert [line.endswith(" (unlike the training images)") for line in said] == [False, True]


@pytest.mark.parametrize("share", ["1", "0", "0.99"])
def test_a_promise_that_cannot_be_made(measured, share):
    write_pictures(Path(), 1)
    with pytest.raises(PipelineError, match=rf"^--coverage: {share}: "):
        predict.main(["0.png", "--coverage", share])


def test_a_promise_without_a_validation_part(model, capsys):
    write_pictures(Path(), 1)
    (answer,) = lines(capsys, "0.png")
    assert "unlike_training" not in answer
    with pytest.raises(
        PipelineError, match=r"^--coverage: the workspace's model had no validation"
    ):
        predict.main(["0.png", "--coverage", "0.9"])


def test_the_reference_goes_along_with_the_run(tracked, measured, monkeypatch, capsys):
    write_pictures(Path(), 1)
    monkeypatch.setenv("DVC_EXP_NAME", "first")
    record([0.5])
    beside(MODEL).unlink()
    (answer,) = lines(capsys, "0.png", "--run", "first")
    assert answer["unlike_training"] is False
