"""The pictures of README and docs: small, light, and taken again from any finished run."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.errors import PipelineError
from tests.repository import Repository
from tests.support import REPOSITORY
from tools import pictures
from tools.documentation import browser

PICTURES = REPOSITORY / "docs/pictures"


@pytest.mark.parametrize("name", ["report", "comparison", "mlflow"])
def test_a_picture_is_small_and_light(name: str) -> None:
    path = PICTURES / f"{name}.png"
    assert path.stat().st_size <= browser.LARGEST
    with Image.open(path) as image:
        assert image.width >= 1000
        assert np.asarray(image.convert("L")).mean() > 200


def test_every_picture_is_shown_somewhere() -> None:
    pages = [REPOSITORY / "README.md", *REPOSITORY.glob("docs/*.md")]
    texts = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    for path in PICTURES.iterdir():
        assert f"pictures/{path.name}" in texts, path.name


def test_a_picture_has_as_many_colours_as_fit(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (120, 120, 3), dtype="uint8")
    image = Image.fromarray(noise)
    path = tmp_path / "pictures" / "noise.png"
    browser.save(image, path, 10_000)
    with Image.open(path) as saved:
        assert path.stat().st_size <= 10_000
        assert 16 <= len(saved.getcolors() or []) < 256
    with pytest.raises(PipelineError, match=r"noise\.png: larger than 1,000 bytes with 16 colours"):
        browser.save(image, path, 1_000)


def test_what_is_missing_is_one_line(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PipelineError, match=r"report\.html: not there; run `make repro`"):
        pictures.main([])
    (workspace / "reports").mkdir()
    (workspace / "reports/report.html").write_text("")
    with pytest.raises(PipelineError, match=r"experiments\.html: not there; run `make compare`"):
        pictures.main([])
    (workspace / "reports/experiments.html").write_text("")
    monkeypatch.setenv("PATH", str(workspace))
    with pytest.raises(PipelineError, match=r"^chromium and chromedriver: not installed; they are"):
        pictures.main([])


@pytest.mark.slow
def test_they_are_taken_of_a_finished_run(shared_folder: Path, tmp_path: Path) -> None:
    if missing := [name for name in browser.PROGRAMS if not shutil.which(name)]:
        pytest.skip(f"needs a browser: {' and '.join(missing)} not found")
    repository = Repository.finished(shared_folder, tmp_path / "repository")
    for command in (("tools.compare",), ("tools.pictures", "--into", "pictures")):
        ended = repository.run("python", "-m", *command)
        assert ended.returncode == 0, ended.stderr
    for name in ("report", "comparison", "mlflow"):
        path = repository.folder / "pictures" / f"{name}.png"
        assert path.stat().st_size <= browser.LARGEST
        assert len(np.unique(np.asarray(Image.open(path)))) > 8  # not an empty page
    said = json.loads((repository.folder / "reports/default.json").read_text())
    metrics = json.loads((repository.folder / "reports/metrics.json").read_text())
    assert said["accuracy"].startswith(f"{metrics['accuracy']:.3f} (")
