"""`python -m tools.demo`: in a real browser a file is dropped and the answer read; and its errors."""

import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from tests.support import write_prepared
from tests.tools.comparison.recording import track
from tests.tools.comparison.test_page_in_browser import SWITCHES
from tests.tools.serving.training import encoded, picture, record, write_model
from tools import demo, predict

COMMAND = [sys.executable, "-m", "tools.demo"]


@pytest.fixture
def browser(tmp_path: Path) -> Iterator:
    programs = {name: shutil.which(name) for name in ("chromium", "chromedriver")}
    if missing := [name for name, path in programs.items() if not path]:
        pytest.skip(f"needs a browser: {' and '.join(missing)} not found (Debian's packages "
                    "chromium and chromium-driver)")  # fmt: skip
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = programs["chromium"]
    for switch in (*SWITCHES, f"--user-data-dir={tmp_path / 'browser'}"):
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(programs["chromedriver"]))
    yield driver
    driver.quit()


@pytest.fixture
def address(workspace, tmp_path_factory, monkeypatch) -> Iterator[str]:
    """The page of two experiments."""
    pytest.importorskip("gradio", reason="needs gradio (make setup EXTRA=demo)")
    track(workspace, tmp_path_factory, monkeypatch)
    for name, seed in (("first", 1), ("second", 2)):
        monkeypatch.setenv("DVC_EXP_NAME", name)
        write_prepared(classes=3, channels=3)
        write_model(channels=3, seed=seed)
        record([0.5])
    monkeypatch.delenv("DVC_EXP_NAME")
    write_prepared(classes=3, channels=3)
    process = subprocess.Popen(
        [*COMMAND, "--run", "first,second"], stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line.startswith("demo: http://127.0.0.1:"), line
        yield line.split()[-1]
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
        assert (process.returncode, out.splitlines()[-1]) == (0, "demo: ended")
    finally:
        process.kill()


@pytest.mark.slow
def test_a_file_is_dropped_and_the_answer_read(browser, address, capsys):
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.ui import WebDriverWait

    def all_of(selector: str) -> list:
        return browser.find_elements("css selector", selector)

    def wait_for(condition) -> None:
        WebDriverWait(browser, 60, 0.05).until(lambda _: condition())

    photo = Path("photo.jpg").resolve()
    photo.write_bytes(encoded(picture(4, "RGB", 40), "JPEG"))
    best = []
    for name in ("first", "second"):
        capsys.readouterr()
        assert predict.main([str(photo), "--run", name]) == 0
        best.append(capsys.readouterr().out.strip().rpartition(": ")[2].split())

    browser.get("about:blank")
    browser.get_log("performance")
    browser.get(address)
    wait_for(lambda: all_of("#photo input[type=file]"))
    all_of("#photo input[type=file]")[0].send_keys(str(photo))
    wait_for(lambda: all_of("#heat-0 img") and all_of("#heat-1 img"))
    said = all_of("#said")[0].text
    agree = "They agree." if best[0][0] == best[1][0] else "They differ."
    parts = [f"{name}, {float(share):.1%}" for name, share in best]
    assert said == f"{'; '.join(parts)}. {agree}"
    for number, (name, share) in enumerate(best):
        assert name in all_of(f"#answer-{number}")[0].text
        assert f"{round(100 * float(share))}%" in all_of(f"#answer-{number}")[0].text

    # By the keyboard: an example instead.
    examples = all_of("#examples button.thumbnail-item")
    assert len(examples) == 12
    examples[4].send_keys(Keys.ENTER)
    wait_for(lambda: all_of("#said")[0].text not in ("", said))
    # What is no image, after the picture is taken away.
    all_of("#photo button[aria-label='Remove Image']")[0].click()
    wait_for(lambda: not all_of("#heat-0 img") and all_of("#photo input[type=file]"))
    Path("bad.jpg").write_text("hello")
    all_of("#photo input[type=file]")[0].send_keys(str(Path("bad.jpg").resolve()))
    wait_for(lambda: all_of("#said")[0].text)
    assert all_of("#said")[0].text == "This cannot be read: not an image of a known format."

    # On a phone nothing is wider than the screen.
    size = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get(address)
    wait_for(lambda: all_of("#photo input[type=file]"))
    assert browser.execute_script("return document.documentElement.scrollWidth") == 390

    asked = re.findall(r'"url":"([^"]*)"', str(browser.get_log("performance")).replace("\\", ""))
    inside = (address, "about:", "data:", "blob:", "chrome:")
    assert not [url for url in asked if not url.startswith(inside)]
    assert not [line for line in browser.get_log("browser") if "Content Security" in str(line)]


def test_the_page_is_built_and_asks_nobody_else(workspace, monkeypatch):
    pytest.importorskip("gradio", reason="needs gradio (make setup EXTRA=demo)")
    from tools.demonstration import quiet

    for name in ("GRADIO_ANALYTICS_ENABLED", "HF_HUB_OFFLINE", "HF_HUB_DISABLE_TELEMETRY"):
        monkeypatch.setenv(name, "")
    quiet.hush()
    from pipeline.datasets.resizing import Resize
    from tests.tools.serving.training import CLASSES, MODEL
    from tools.demonstration import page
    from tools.demonstration.models import Model
    from tools.serving.trained import Trained

    write_model(channels=3)
    models = [Model(Trained(MODEL, CLASSES, name, Resize())) for name in ("a", "b")]
    blocks = page.build(models, [])
    assert not blocks.analytics_enabled
    assert "fonts.googleapis.com" not in str(page.theme()._stylesheets)
    Path("photo.jpg").write_bytes(encoded(picture(4, "RGB", 40), "JPEG"))
    line, first, heat, second, _ = page._say(models, "photo.jpg")
    assert first == second
    assert heat.shape == (384, 384, 3)
    best = max(first, key=first.get)
    share = f"{best}, {first[best]:.1%}"
    assert line == f"**{share}; {share}.** They agree."
    assert page._say(models, None) == ["", None, None, None, None]


def test_gradio_is_not_installed(workspace, monkeypatch):
    monkeypatch.setattr(demo, "_chosen", lambda given: [])
    monkeypatch.setattr(demo.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        PipelineError, match=r"^gradio is not installed; run `make setup EXTRA=demo`"
    ):
        demo.main([])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], r"^data/model/model.keras: not there; run `dvc repro`"),
        (["--run", "a,b,c,d"], r"^--run: a,b,c,d: expected 1 to 3 names, as in A,B$"),
        (["--run", "x"], r"^x: no such run"),
        (["--port", "70000"], r"^--port: 70000: expected 1 to 65535$"),
    ],
)
def test_what_cannot_be_shown(workspace, arguments, says):
    with pytest.raises(PipelineError, match=says):
        demo.main(arguments)
