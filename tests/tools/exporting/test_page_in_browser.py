"""classify.html, opened from a file in headless Chromium: the same classes as Python gives."""

import io
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.datasets.decode import decode
from pipeline.datasets.resizing import Resize
from pipeline.runtime import files, paths
from tests.tools.exporting.making import exported, need_runtime, write_workspace
from tools.exporting import page, runtimes

pytestmark = pytest.mark.slow

SWITCHES = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"),
    "--window-size=1300,1600",
)
IMAGES = 200


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator:
    programs = {name: shutil.which(name) for name in ("chromium", "chromedriver")}
    missing = [name for name, path in programs.items() if not path]
    if missing:
        pytest.skip(f"needs a browser: {' and '.join(missing)} not found")
    need_runtime()
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = str(programs["chromium"])
    for switch in (*SWITCHES, f"--user-data-dir={tmp_path_factory.mktemp('browser')}"):
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(str(programs["chromedriver"])))
    yield driver
    driver.quit()


@pytest.fixture(scope="module", params=["float16", "int8"])
def made(request, tmp_path_factory):
    """A workspace of colour images that a network has learnt, and its page."""
    with pytest.MonkeyPatch.context() as patch:
        write_workspace(
            tmp_path_factory.mktemp(request.param), patch, network="three_block_cnn", size=24,
            channels=3, classes=4, counts=(240, 30, 400), epochs=4,
        )  # fmt: skip
        more = ("--quantize", "int8") if request.param == "int8" else ()
        yield exported("--to", "html", *more) / "classify.html"


@pytest.fixture
def opened(browser, made: Path) -> Iterator:
    browser.get("about:blank")
    browser.get_log("performance")
    browser.get_log("browser")
    browser.get(made.as_uri())
    wait_for(browser, lambda: status(browser) == "Ready.")
    yield browser
    assert browser.get_log("browser") == []  # no error, and nothing that the policy forbids
    asked = re.findall(r'"url":"([^"]*)"', str(browser.get_log("performance")).replace("\\", ""))
    assert {url for url in asked if not url.startswith(("blob:", "data:"))} <= {
        *(made.as_uri(), "about:blank")
    }


def status(driver) -> str:
    return driver.find_element("id", "status").text


def wait_for(driver, condition) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(driver, 120, 0.05).until(lambda _: condition())


def choose(driver, pictures: list[Path]) -> list[dict]:
    """Give the page these files; what it says of each, in their order."""
    before = len(driver.find_elements("css selector", "#results > li"))
    driver.find_element("id", "files").send_keys("\n".join(map(str, pictures)))
    ended = f"Ready. {before + len(pictures)} named."
    wait_for(driver, lambda: status(driver) == ended)
    script = (
        "return [...document.querySelectorAll('#results > li')].map((row) => ({...row.dataset}))"
    )
    return driver.execute_script(script)[: len(pictures)][::-1]


def answers(made: Path, pixels: np.ndarray) -> tuple[list[str], np.ndarray]:
    """What the file in the page gives in Python: the classes and their probabilities."""
    found = runtimes.in_steps(runtimes.onnx(page.model_in(made), 2), pixels)
    names = files.read_json(made.with_name("model.json"))["classes"]
    return [names[i] for i in found.argmax(axis=1)], found.max(axis=1)


def named(driver, made: Path, folder: Path) -> tuple[list[dict], list[str], np.ndarray]:
    """What the page says of the test images, and what Python does."""
    images = np.load(made.parents[2] / paths.PREPARED / "test_images.npy")[:IMAGES]
    pictures = [folder / f"{i}.png" for i in range(IMAGES)]
    for path, pixels in zip(pictures, images, strict=True):
        Image.fromarray(pixels).save(path)
    told = choose(driver, pictures)
    assert [each["name"] for each in told] == [path.name for path in pictures]
    return told, *answers(made, images)


def test_two_hundred_test_images(opened, made, tmp_path):
    told, classes, sure = named(opened, made, tmp_path)
    assert [each["class"] for each in told] == classes
    assert len(set(classes)) == 4
    # The runtime's sums are in another order; in 8 bits a rounding may go the other way.
    tolerance = 0.05 if "int8" in str(made) else 1e-3
    np.testing.assert_allclose([float(each["probability"]) for each in told], sure, atol=tolerance)


def test_a_lite_base(browser, tmp_path, monkeypatch):
    """Of random weights, whose answers lie near each other: the probabilities say more."""
    write_workspace(
        tmp_path / "w", monkeypatch, network="efficientnet_lite0", size=64, channels=3, classes=4,
        counts=(40, 10, IMAGES), epochs=0,
    )  # fmt: skip
    made = exported("--to", "html") / "classify.html"
    browser.get(made.as_uri())
    wait_for(browser, lambda: status(browser) == "Ready.")
    told, classes, sure = named(browser, made, tmp_path)
    np.testing.assert_allclose([float(each["probability"]) for each in told], sure, atol=1e-3)
    assert np.mean([each["class"] == name for each, name in zip(told, classes, strict=True)]) > 0.98


def test_photographs_of_other_sizes(opened, made, tmp_path):
    """Grey, with a palette, turned by EXIF, and large: prepared as in Python."""
    generator = np.random.default_rng(1)
    coarse = Image.fromarray(generator.integers(0, 256, (9, 12, 3), dtype="uint8"))
    large = coarse.resize((900, 700), Image.Resampling.BICUBIC)
    turned = Image.Exif()
    turned[0x0112] = 6
    made_of = {
        "large.png": large,
        "grey.png": large.convert("L"),
        "palette.gif": large.convert("P"),
        "photo.jpg": large,
        "tall.png": large.crop((0, 0, 90, 600)),
        "small.png": large.resize((11, 7)),
    }
    for name, image in made_of.items():
        image.save(tmp_path / name, exif=turned if name == "photo.jpg" else None)
    read = [decode((tmp_path / name).read_bytes(), (24, 24, 3), Resize())[0] for name in made_of]
    told = choose(opened, [tmp_path / name for name in made_of])
    classes, sure = answers(made, np.stack(read))
    assert [each["class"] for each in told] == classes
    np.testing.assert_allclose([float(each["probability"]) for each in told], sure, atol=0.06)


def test_what_is_no_picture_is_said(opened, tmp_path):
    (tmp_path / "text.png").write_text("hello")
    (told,) = choose(opened, [tmp_path / "text.png"])
    assert "class" not in told
    assert opened.find_element("css selector", ".refused").text == "cannot be read as a picture"


def test_a_picture_that_is_dropped_or_pasted(opened, made):
    """As the browser gives it to the page: a file in the event."""
    buffer = io.BytesIO()
    Image.new("RGB", (24, 24), (200, 10, 10)).save(buffer, "PNG")
    script = """
    const [kind, bytes] = arguments;
    const data = new DataTransfer();
    data.items.add(new File([new Uint8Array(bytes)], kind + ".png", { type: "image/png" }));
    const options = kind === "drop" ? { dataTransfer: data } : { clipboardData: data };
    const event = kind === "drop" ? new DragEvent(kind, options) : new ClipboardEvent(kind, options);
    document.body.dispatchEvent(Object.assign(event));
    dispatchEvent(event);"""
    for number, kind in enumerate(("drop", "paste"), 1):
        opened.execute_script(script, kind, list(buffer.getvalue()))
        wait_for(opened, lambda number=number: status(opened) == f"Ready. {number} named.")
        (first, *_) = opened.find_elements("css selector", "#results > li")
        assert first.get_attribute("data-name") == f"{kind}.png"
        assert first.get_attribute("data-class")


def test_the_camera(opened):
    opened.find_element("id", "camera").click()
    ready = "return document.getElementById('video').videoWidth > 0"
    wait_for(opened, lambda: opened.execute_script(ready))
    opened.find_element("id", "take").click()
    wait_for(opened, lambda: status(opened) == "Ready. 1 named.")
    opened.find_element("id", "stop").click()
    assert not opened.find_element("id", "live").is_displayed()


def test_the_keyboard_alone(opened):
    from selenium.webdriver import ActionChains, Keys

    seen = []
    for _ in range(4):
        ActionChains(opened).send_keys(Keys.TAB).perform()
        seen.append(opened.switch_to.active_element)
    assert [each.get_attribute("id") or each.tag_name for each in seen] == [
        *("files", "camera", "summary", "summary")
    ]
    seen[-1].send_keys(Keys.ENTER)
    assert "MIT License" in opened.find_element("css selector", "details pre").text


@pytest.mark.parametrize("width", [1200, 390])
def test_light_and_dark_on_a_phone_too(opened, tmp_path, width):
    Image.new("RGB", (30, 30), (20, 200, 20)).save(tmp_path / "green.png")
    choose(opened, [tmp_path / "green.png"])
    screen = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    opened.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    grounds = set()
    for scheme in ("light", "dark"):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        opened.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        script = "return [document.documentElement.scrollWidth, getComputedStyle(document.body).backgroundColor]"
        wide, ground = opened.execute_script(script)
        assert wide <= width
        grounds.add(ground)
    assert len(grounds) == 2
    opened.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_one_file_under_25_megabytes(made):
    assert made.stat().st_size < 25_000_000
    text = made.read_text(encoding="utf-8")
    assert not re.search(r'(src|href)="?https?:', text)
