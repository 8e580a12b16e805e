"""The stage `report` as a process: one page that needs nothing, the same bytes each time."""

import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.errors import PipelineError
from pipeline.runtime import files, paths
from stages.report import main
from tests.pipeline.figures.fake_run import CODE, TOTAL, write_run
from tests.pipeline.figures.test_audit import CLEAN
from tests.support import recorded_runs, run_stage

pytestmark = pytest.mark.usefixtures("workspace")

PAGE = paths.REPORTS / "report.html"
CHARTS = {"accuracy", "classes", "confusion_counts", "confusion_shares", "loss", "reliability"}
LAYERS = {"layer_1_conv_1", "layer_2_conv_2"}


class Page(HTMLParser):
    """The text, the addresses and the balance of a page's tags."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.ids: list[str] = []
        self.words: list[str] = []
        self.pictures: list[dict[str, Any]] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.addresses += [v or "" for k, v in attrs if k in ("src", "href", "action", "data")]
        self.ids += [found["id"] or ""] if "id" in found else []
        if tag == "img":
            self.pictures.append(found)
        if tag not in ("img", "meta", "br", "wbr"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


def report() -> Page:
    main()
    page = Page(PAGE.read_text(encoding="utf-8"))
    assert page.open == []
    return page


def outs() -> dict[str, str]:
    found = [PAGE, *paths.FIGURES.iterdir()]
    return {path.name: files.sha256(path) for path in found}


def test_it_writes_the_page_and_the_figures_and_nothing_else():
    write_run()
    before = {path for path in Path().rglob("*") if path.is_file()}
    report()
    written = {path for path in Path().rglob("*") if path.is_file()} - before
    figures = {path.stem for path in written if path.parent == paths.FIGURES}
    assert figures == CHARTS | LAYERS | {"samples", "mistakes"}
    assert {path for path in written if path.parent != paths.FIGURES} == {PAGE}
    assert not [path for top in ("data", "reports") for path in Path(top).glob(".*")]


def test_the_numbers_are_those_of_the_files():
    write_run()
    text = report().text
    assert "The network names 8 of 12 test images rightly (66.7%)" in text
    assert "Always answering “cat”, the class with the most training images" in text
    assert "be right for 4 (33.3%)" in text
    assert "take “cat” for “dog” (2 times)" in text
    assert "mean over the classes" in text
    assert f"tiny_cnn, {TOTAL:,} parameters" in text
    assert f"total {TOTAL:,}" in text
    assert "3×3" in text
    assert "learning_rate" in text
    assert "sha256:" + "0" * 64 in text
    assert "pixels divided by 255" in text
    assert CODE not in text  # it stands beside the parameters and is none


def test_the_page_needs_no_network_and_its_links_lead_somewhere():
    write_run()
    page = report()
    html = PAGE.read_text(encoding="utf-8")
    for address in page.addresses:
        assert address.startswith(("data:image/png;base64,", "#"))
        if address.startswith("#"):
            assert address[1:] in page.ids
    assert all("alt" in picture for picture in page.pictures)
    assert "http:" not in html
    assert "https:" not in html
    assert "<script" not in html
    assert "url(" not in html
    assert "default-src 'none'" in html


def test_forced_again_elsewhere_it_is_the_same_bytes(workspace, tmp_path, monkeypatch):
    write_run(names=True)
    main()
    first = outs()
    other = tmp_path / "a folder of another name"
    shutil.copytree(workspace, other)
    monkeypatch.chdir(other)
    matplotlibrc = tmp_path / "matplotlibrc"
    matplotlibrc.write_text("font.size: 20\naxes.facecolor: red\n")
    changes = {
        "TZ": "Asia/Seoul",
        "PYTHONHASHSEED": "7",
        "SOURCE_DATE_EPOCH": "1",
        "MATPLOTLIBRC": str(matplotlibrc),
        "LC_ALL": "C",
    }
    assert run_stage("report", **changes).returncode == 0
    assert outs() == first


def test_it_holds_no_path_of_the_machine(workspace):
    weights = {"source": "a file", "sha256": "ab" * 32, "licence": "CC BY 4.0"}
    files.write_json(paths.WEIGHTS / "weights.json", {"pretrained_weights": "imagenet", **weights})
    write_run()
    parameters = files.read_json(paths.PARAMS / "report.json")
    parameters |= {"dataset": f"{workspace}/photos.zip", "pretrained_weights": "C:\\own.h5"}
    files.write_json(paths.PARAMS / "report.json", parameters)
    page = report()
    assert str(workspace) not in PAGE.read_text(encoding="utf-8")
    assert "photos.zip" in page.text
    assert "own.h5" in page.text
    assert "C:" not in page.text
    assert "CC BY 4.0" in page.text
    assert "ab" * 32 in page.text


def test_what_training_saw_first_stands_under_data_where_it_was_altered():
    write_run()
    assert "As training saw them" not in report().text
    shutil.rmtree("data")
    write_run(first_labels=((0.001, 0.999, 0), (0.25, 0, 0.75)), augmentation="affine", mixup=0.2)
    text = report().text
    assert "the first 2 images of the first step, augmented ( affine ), mixed" in text
    assert "dog bird 75%, cat 25%" in re.sub(" +", " ", text)
    assert (paths.FIGURES / "first_batch.png").exists()
    shutil.rmtree("data")
    write_run(first_labels=((0.25, 0, 0.75),), mixup=0.2)
    assert "the first 1 images of the first step, mixed, with" in report().text


def test_names_are_text_not_markup_and_korean_ones_stay_as_they_are():
    write_run(classes=("<b>cat</b>", "고양이", "$x_1$ & 'y'"), names=True)
    page = report()
    assert "<b>cat</b>" in page.text
    assert "고양이" in page.text
    assert "class 1 is 고양이" in re.sub(" +", " ", page.text)
    assert "사진 0.jpg" in page.text
    assert "<b>cat" not in PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param(
            {"classes": ("no", "yes"), "phases": ("training",)}, id="two classes, 1 epoch"
        ),
        pytest.param({"validation": False}, id="no validation"),
        pytest.param({"wrong": 0}, id="no mistakes"),
        pytest.param({"heat": False}, id="no Grad-CAM"),
        pytest.param({"channels": 3, "tested": 2, "wrong": 1}, id="two test images"),
        pytest.param(
            {"classes": tuple(f"c{n}" for n in range(40)), "tested": 80}, id="forty classes"
        ),
        pytest.param(
            {
                "classes": tuple(f"c{n}" for n in range(1200)),
                "tested": 30,
                "model": "two_block_cnn",
                "dropout": [0.1, 0.8],
            },
            id="1,200 classes",
        ),
    ],
)
def test_runs_at_the_edges_are_reported(changes: dict[str, Any]):
    write_run(**changes)
    page = report()
    text = page.text
    assert ("There are none: every test image was named rightly" in text) == (
        changes.get("wrong") == 0
    )
    assert ("no validation part" in text) == (changes.get("validation") is False)
    count = len(changes.get("classes", "abc"))
    assert ("among the first five" in text) == (count > 10)
    assert (paths.FIGURES / "confusion_counts.png").exists() == (count <= 1000)
    assert ("Grad-CAM" in text) == (changes.get("wrong") != 0 and changes.get("heat") is not False)


def test_fine_tuning_is_marked():
    write_run(phases=("head", "head", "fine_tune"), fine_tune_from="conv_1")
    text = report().text
    assert "At the dotted line fine-tuning began" in text
    assert "second phase" in text


def test_leakage_between_the_parts_is_said_on_top_and_the_claim_withdrawn():
    write_run()
    assert "it saw none of them in training" in report().text
    pair = [{"name": "a.png", "part": "train"}, {"name": "b.png", "part": "test"}]
    leakage = {"groups": 1, "images": 2, "names": [pair]}
    files.write_json(paths.PREPARED / "audit.json", CLEAN | {"leakage": leakage})
    text = report().text
    assert "it saw none of them in training" not in text
    assert "a.png (train) and b.png (test)" in text
    assert "Audit of the files" in text


def test_twins_of_test_images_are_said_on_top_and_shown():
    write_run(twins=(1, 5))
    text = report().text
    assert "it saw none of them in training" not in text
    assert "2 test images have twins among the images of training or validation" in text
    assert "2 pairs of twins: 2 train and test." in text
    # The first four are wrong, of 12; one of the twins is among them.
    assert "Without them 70.00% of 10 are named rightly, with them 66.67% of 12." in text
    assert "train 0 and test 5" in text


def test_how_far_the_answers_can_be_trusted():
    write_run(tested=60, wrong=20)
    text = report().text
    assert "Temperature 1.25 fits the 3 validation images best" in text
    assert "calibration: temperature keeps it" in text
    assert "1 of 60 test images are called unlike" in text
    assert "95% 100.0%" in text
    assert "Among 99 images no two are the same picture." in text
    assert "groups of test images were tried" in text


def test_a_useless_network_is_called_so():
    write_run(wrong=12)
    assert "no better than always answering “cat”" in report().text


def test_it_never_imports_the_backend():
    write_run()
    code = (
        "import sys, runpy; sys.argv = ['report']\n"
        "try: runpy.run_module('stages.report', run_name='__main__')\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "print([m for m in ('tensorflow', 'keras', 'jax', 'torch') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert PAGE.exists(), result.stderr
    assert result.stdout.endswith("[]\n")


def outputs_and_inputs() -> dict[str, str]:
    found = [path for top in ("data", "reports") for path in Path(top).rglob("*")]
    return {str(path): files.sha256(path) for path in found if path.is_file()}


@pytest.mark.parametrize(
    "missing",
    [
        paths.PARAMS / "report.json",
        paths.PREPARED / "test_images.npy",
        paths.REPORTS / "history.csv",
        paths.EXPLANATIONS / "grad_cam.npz",
        paths.EXPLANATIONS / "layers.json",
    ],
)
def test_a_missing_file_is_named(missing: Path):
    write_run()
    missing.unlink()
    with pytest.raises(PipelineError) as error:
        main()
    assert str(error.value) == f"{missing}: not there; run `dvc repro`, which makes it"


@pytest.mark.parametrize(
    ("resize", "said"),
    [
        (None, "Resized stretched to 8×8 pixels"),
        ({"method": "pad", "grey": 128}, "Resized padded with grey (128, 128, 128) to 8×8 pixels"),
        ({"method": "crop", "share": 0.875}, "Resized cropped to 8×8 pixels around the centre"),
    ],
)
def test_how_photographs_were_resized(resize, said):
    write_run(image_size=8, dataset={"resize": resize} if resize else None)
    assert said in report().text


def test_a_set_that_kept_its_size_was_not_resized():
    write_run()
    assert "Resized" not in report().text


def test_files_of_two_runs_are_not_mixed():
    write_run()
    np.save(paths.PREPARED / "test_images.npy", np.zeros((7, 8, 8, 1), np.uint8))
    before = outputs_and_inputs()
    result = run_stage("report")
    assert result.returncode == 1
    assert result.stderr == (
        "report: reports/predictions.csv: 12 rows for 7 test images; "
        "run `dvc repro`, which scores them again\n"
    )
    assert outputs_and_inputs() == before


def test_it_is_added_to_the_run_that_trained_the_model():
    from pipeline import tracking

    write_run()
    paths.MODEL.mkdir(parents=True)
    (paths.MODEL / "model.keras").write_bytes(b"a model")
    record = tracking.start_run({}, {"model_digest": tracking.model_digest()})
    record.finish()
    report()
    kept = {path.name for path in Path(os.environ["DVC_ROOT"], "mlartifacts").rglob("*.*")}
    assert {"report.html", "confusion_counts.png", "mistakes.png", "predictions.csv"} <= kept
    run = recorded_runs(Path(os.environ["DVC_ROOT"])).iloc[0]
    summary = files.read_json(paths.REPORTS / "metrics.json")
    assert run["metrics.test_accuracy"] == summary["accuracy"]
    assert run["metrics.test_weighted_f1"] == summary["weighted"]["f1"]
    assert "metrics.test_parameters_total" not in run
