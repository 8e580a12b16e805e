"""The page in a real browser: its table, curves, choices and McNemar's test, and no request.

Skipped, with the reason, where there is no Chromium and chromedriver.
"""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.tools.comparison.recording import outcome
from tools.comparison import page
from tools.comparison.chance import compare
from tools.runs.reports import outcome as parsed
from tools.runs.run import Outcome, Results, Run
from tools.runs.spread import spread

SWITCHES = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--window-size=1300,1600",
)
CLASSES = [str(i) for i in range(10)]
SHARES = {"low": 0.6, "middle": 0.7, "high": 0.9}


def made(name: str, share: float, seed: int, dropout: str, data: str = "d", epochs: int = 2) -> Run:
    right = outcome(share, seed, 500)
    right_ones = round(50 * share)
    table = np.diag(np.full(10, right_ones)) + np.roll(np.eye(10, dtype=int), 1, 1) * (
        50 - right_ones
    )
    ends = {"loss": (1.0, 0.5), "accuracy": (0.1, share)}
    ends |= {"val_accuracy": (0.2, share), "val_loss": (0.9, 0.4)}
    history = {name: np.linspace(*pair, epochs).tolist() for name, pair in ends.items()}
    history["epoch"] = [i + 1.0 for i in range(epochs)]
    results = Results(history, CLASSES, table, Outcome(right, "rows"))
    parameters = {"dropout": dropout, "seed": str(seed), "model": "tiny_cnn"}
    parameters["split_seed"] = "42" if data == "d" else "7"
    metrics = {
        "test_accuracy": float(right.mean()),
        "test_loss": 1 - share,
        "train_seconds": 10 * share,
    }
    return Run(f"{name}-id", name, "MLflow", "FINISHED", 1e9 + seed, parameters, metrics, results,
               data_digest=data)  # fmt: skip


def runs() -> list[Run]:
    failed = Run(
        "f",
        "failed",
        "MLflow",
        "FAILED",
        1e9,
        {"dropout": "0.1", "model": "tiny_cnn"},
        {},
        Results(),
    )
    failed.failure = "train: no room on the disk"
    return [
        *(made(name, share, i + 1, "0.8") for i, (name, share) in enumerate(SHARES.items())),
        made("close", 0.71, 4, "0.10"),
        made("elsewhere", 0.8, 5, "0.10", data="e"),
        failed,
    ]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator:
    programs = {name: shutil.which(name) for name in ("chromium", "chromedriver")}
    if missing := [name for name, path in programs.items() if not path]:
        pytest.skip(f"needs a browser: {' and '.join(missing)} not found (Debian's packages "
                    "chromium and chromium-driver)")  # fmt: skip
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = programs["chromium"]
    for switch in (*SWITCHES, f"--user-data-dir={tmp_path_factory.mktemp('browser')}"):
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(programs["chromedriver"]))
    yield driver
    driver.quit()


@pytest.fixture
def opened(browser, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator:
    """The page with nothing chosen, or at the address that a test's parameter names."""
    path = tmp_path / "experiments.html"
    path.write_text(page.render(runs()), encoding="utf-8")
    browser.get("about:blank")
    browser.get_log("performance")  # the browser's own first page
    browser.get(path.as_uri() + getattr(request, "param", "#none"))
    wait_for(browser, lambda: all_of(browser, "#plot svg"))
    yield browser
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert browser.get_log("browser") == []  # no error, and nothing that the policy forbids
    asked = re.findall(r'"url":"([^"]*)"', str(browser.get_log("performance")).replace("\\", ""))
    assert {url.partition("#")[0] for url in asked} <= {path.as_uri(), "about:blank"}


def all_of(driver, selector: str) -> list:
    return driver.find_elements("css selector", selector)


def wait_for(driver, condition) -> None:
    """Vega draws a moment later than it is told."""
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(driver, 20, 0.05).until(lambda _: condition())


def strokes(driver, kind: str) -> list[str]:
    """The colours of the lines of a kind (see page/curves.js)."""
    script = """return [...document.querySelectorAll(arguments[0])]
        .map((line) => line.getAttribute("stroke"));"""
    return driver.execute_script(script, f"#plot .{kind}_marks path")


def texts(driver, selector: str) -> list[str]:
    return [found.text for found in all_of(driver, selector)]


def names(driver) -> list[str]:
    return texts(driver, "#table td.name")


def sort_by(driver, column: str) -> None:
    driver.find_element("css selector", f'th[data-column="{column}"] button').click()


def pick(driver, name: str) -> None:
    all_of(driver, "#table tbody tr")[names(driver).index(name)].click()


def type_filter(driver, words: str) -> None:
    field = driver.find_element("id", "filter")
    field.clear()
    field.send_keys(words)


def test_sorting(opened):
    assert names(opened) == ["high", "elsewhere", "close", "middle", "low", "failed"]
    sort_by(opened, "test_accuracy")
    assert names(opened) == ["low", "middle", "close", "elsewhere", "high", "failed"]
    opened.find_element("id", "more").click()
    sort_by(opened, "test_loss")
    assert names(opened)[0] == "low"
    sort_by(opened, "dropout")  # 0.10 is a number: smaller than 0.8, the same as 0.1
    assert set(names(opened)[:3]) == {"close", "elsewhere", "failed"}
    assert texts(opened, "th[aria-sort]") == ["dropout"]


def test_filtering(opened):
    for words, expected in {
        "dropout=0.8 test_accuracy>0.65": ["high", "middle"],
        "dropout=.1": ["elsewhere", "close", "failed"],
        "status=failed": ["failed"],
        "no ROOM": ["failed"],
        "high": ["high"],
        "split_seed!=7 test_accuracy<=0.6": ["low"],
        "nothing-of-that-kind": [],
    }.items():
        type_filter(opened, words)
        assert names(opened) == expected, words
    assert texts(opened, "#shown") == ["0 of 6 runs"]


def test_parameters_that_differ_stand_in_the_table_and_the_others_below(opened):
    assert texts(opened, "#table th.parameter") == ["split_seed", "dropout", "seed"]
    assert texts(opened, "#same summary") == ["1 parameter is the same in all"]
    opened.find_element("css selector", "#same summary").click()
    assert texts(opened, "#same dl") == ["model\ntiny_cnn"]


def test_seeds(opened):
    expected = spread([0.6, 0.7, 0.9])
    cells = texts(opened, "#table tbody tr:first-child td")
    assert f"{expected}, 95%: {expected.interval_words()}" in cells
    opened.find_element("id", "together").click()
    assert len(names(opened)) == 4
    (row,) = [line for line in texts(opened, "#table tbody tr") if "0.8 3 seeds" in line]
    assert f"{expected.mean:.4f}" in row
    opened.find_element("id", "together").click()


@pytest.mark.parametrize(
    ("first", "second", "says"),
    [("low", "high", "more than chance."), ("middle", "close", "this may well be chance.")],
)
def test_two_chosen_runs_are_tested_as_python_would(opened, first, second, says):
    pick(opened, first)
    pick(opened, second)
    by_name = {run.name: run for run in runs()}
    expected = compare(by_name[first], by_name[second])
    (verdict,) = texts(opened, "#verdict")
    assert (
        f"both are right on {expected.both}, only A on {expected.only_first}, only B on {expected.only_second}."
        in verdict
    )
    assert f"B is {100 * expected.difference:.2f} points better" in verdict
    p = float(re.search(r"mid-p ([\d.e-]+)\)", verdict)[1])
    assert p == pytest.approx(expected.p, rel=0.05)
    assert verdict.endswith(says)
    assert len(all_of(opened, "#comparison .matrix")) == 3
    assert texts(opened, ".badge")[:2] in (["A", "B"], ["B", "A"])
    change = round(50 * SHARES.get(second, 0.71)) - round(50 * SHARES[first])
    (signed,) = {
        cell.text
        for cell in all_of(opened, ".matrix")[2].find_elements(
            "css selector", "tbody tr:nth-child(5) td:nth-child(6)"
        )
    }
    assert signed == (f"+{change}" if change else "")
    wait_for(opened, lambda: len(strokes(opened, "chosen")) == 2)
    assert strokes(opened, "training") == strokes(opened, "chosen")
    assert opened.current_url.endswith(f"#{first}-id,{second}-id")


def test_why_two_runs_are_not_tested(opened):
    pick(opened, "low")
    pick(opened, "elsewhere")
    assert texts(opened, "#verdict") == [
        "No test of the difference: they were trained and scored on other data (another split_seed)."
    ]
    pick(opened, "elsewhere")
    pick(opened, "failed")
    assert texts(opened, "#verdict") == ["No test of the difference: failed has no predictions."]
    opened.find_element("id", "clear").click()
    assert "Choose two runs" in texts(opened, "#comparison")[0]


DEFAULT = pytest.mark.parametrize("opened", [""], indirect=True)


@DEFAULT
def test_the_best_two_are_chosen_at_first(opened):
    assert texts(opened, "#table tr .badge") == ["A", "B"]
    assert names(opened)[:2] == ["high", "elsewhere"]
    expected = compare(runs()[2], runs()[3])  # elsewhere's test images are others
    (verdict,) = texts(opened, "#verdict")
    assert f"both are right on {expected.both}, only A on {expected.only_first}" in verdict
    assert [head.split()[:2] for head in texts(opened, ".facts thead")] == [["A", "high"]]
    assert len(all_of(opened, "#comparison .matrix")) == 3
    assert opened.current_url.endswith(".html")
    opened.find_element("id", "clear").click()
    assert opened.current_url.endswith("#none")
    opened.refresh()
    assert "Choose two runs" in texts(opened, "#comparison")[0]


def test_every_run_has_a_colour_and_stands_in_the_legend_before_one_is_chosen(opened):
    wait_for(opened, lambda: len(strokes(opened, "coloured")) == 5)
    assert len(set(strokes(opened, "coloured"))) == 5
    assert strokes(opened, "chosen") == strokes(opened, "faint") == []
    legend = ["high", "elsewhere", "close", "middle", "low"]
    assert texts(opened, "#legend li") == legend
    assert len(all_of(opened, "#table .dot")) == 5
    signs = """return Object.fromEntries([...document.querySelectorAll("#legend li:has(i)")]
        .map((item) => [item.textContent.replace("A ", ""), item.querySelector("i").style.borderColor]));"""
    before = opened.execute_script(signs)
    pick(opened, "middle")
    wait_for(opened, lambda: strokes(opened, "chosen") == [before["middle"]])
    assert opened.execute_script(signs) == before  # each keeps its own
    assert texts(opened, "#legend li") == [
        *("A middle", "high", "elsewhere", "close", "low", "dashed: training accuracy")
    ]


def test_hovering_draws_the_curve_over_the_others(opened):
    from selenium.webdriver import ActionChains

    row = all_of(opened, "#table tbody tr")[names(opened).index("middle")]
    ActionChains(opened).move_to_element(row).perform()
    wait_for(opened, lambda: strokes(opened, "hovered") == ["var(--ink)"])
    assert texts(opened, "#reading") == ["middle: 0.7000 after epoch 2"]
    opened.find_element("css selector", "[data-measure=loss]").click()
    assert texts(opened, "[aria-pressed=true]") == ["training loss"]


def test_the_curve_under_the_pointer_is_read_and_a_click_chooses_it(opened):
    from selenium.webdriver import ActionChains

    wait_for(opened, lambda: len(strokes(opened, "coloured")) == 5)
    # The last point of the topmost line, in pixels from the middle of the plot.
    script = """
    const plot = document.getElementById("plot");
    plot.scrollIntoView({ block: "center" });
    const box = plot.getBoundingClientRect();
    const ends = [...plot.querySelectorAll(".coloured_marks path")].map((line) =>
      line.getPointAtLength(line.getTotalLength()).matrixTransform(line.getScreenCTM()));
    const top = ends.reduce((one, other) => (one.y < other.y ? one : other));
    return [top.x - box.left - box.width / 2, top.y - box.top - box.height / 2];"""
    right, down = opened.execute_script(script)
    plot = opened.find_element("id", "plot")
    pointer = ActionChains(opened).move_to_element_with_offset(plot, int(right) - 3, int(down) + 3)
    pointer.perform()
    assert texts(opened, "#reading") == ["high: 0.9000 at epoch 2"]
    assert texts(opened, "tr.hovered td.name") == ["high"]
    pointer.click().perform()
    assert opened.current_url.endswith("#high-id")


def test_rare_columns_wait_behind_a_button(opened):
    titles = texts(opened, "#table thead th")
    assert "status" in titles  # one has failed
    assert "over seeds and folds" in titles
    assert "test loss" not in titles
    assert "started" not in titles
    opened.find_element("id", "more").click()
    assert {*titles, "test loss", "started", "commit", "epochs run"} == {
        *texts(opened, "#table thead th")
    }
    assert "F1" not in texts(opened, "#table thead th")  # no run has it


@DEFAULT
@pytest.mark.parametrize("width", [1300, 390])
def test_the_page_is_no_wider_than_the_screen(opened, width):
    screen = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    opened.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    script = "return document.querySelector(arguments[0])[arguments[1]]"
    plot = "return document.querySelector('#plot svg').getBoundingClientRect().width"
    wait_for(opened, lambda: width * 0.8 < opened.execute_script(plot) < width)
    opened.find_element("id", "more").click()
    assert opened.execute_script(script, "html", "scrollWidth") <= width
    if width == 390:  # the table scrolls in its box, beside the names
        assert opened.execute_script(script, ".scroll", "scrollWidth") > width
        left = "return document.querySelector('#table td.name').getBoundingClientRect().left"
        before = opened.execute_script(left)
        opened.execute_script("document.querySelector('.scroll').scrollLeft = 300")
        assert opened.execute_script(left) == before


def test_the_keyboard_alone_sorts_and_chooses(opened):
    from selenium.webdriver import Keys

    button = opened.find_element("css selector", 'th[data-column="test_accuracy"] button')
    button.send_keys(Keys.ENTER)
    assert names(opened)[0] == "low"
    assert opened.switch_to.active_element.text == "test accuracy"
    box = all_of(opened, "#table tbody tr input")[0]
    box.send_keys(Keys.TAB)  # to the next row, whose curve is drawn over the others
    assert texts(opened, "#reading") == ["middle: 0.7000 after epoch 2"]
    opened.switch_to.active_element.send_keys(Keys.SPACE)
    assert opened.current_url.endswith("#middle-id")
    assert opened.switch_to.active_element.get_attribute("aria-label") == "choose middle"
    opened.switch_to.active_element.send_keys(Keys.TAB, Keys.SPACE)
    assert opened.current_url.endswith("#middle-id,close-id")


def test_light_and_dark(opened):
    wait_for(opened, lambda: strokes(opened, "coloured"))
    script = """const line = document.querySelector('#plot [stroke="var(--c0)"]');
    return [getComputedStyle(line).stroke, getComputedStyle(document.body).backgroundColor];"""
    seen = []
    for scheme in ("light", "dark"):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        opened.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        seen.append(opened.execute_script(script))
    assert seen[0][0] == "rgb(42, 93, 168)"  # --c0 of experiments.css
    assert seen[1][0] == "rgb(141, 182, 242)"
    assert seen[0][1] != seen[1][1]


def test_more_runs_than_colours(browser, tmp_path):
    path = tmp_path / "many.html"
    path.write_text(page.render([made(f"run-{i}", 0.5 + i / 100, i, "0.8") for i in range(11)]))
    browser.get(f"{path.as_uri()}#none")
    wait_for(browser, lambda: len(strokes(browser, "faint")) == 3)
    assert len(set(strokes(browser, "coloured"))) == 8
    assert texts(browser, "#legend li")[-2:] == ["run-3", "grey: 3 more"]
    pick(browser, "run-0")
    wait_for(browser, lambda: strokes(browser, "chosen"))
    assert "run-3" not in texts(browser, "#legend li")  # the eighth gave its colour away
    assert len({*strokes(browser, "chosen"), *strokes(browser, "coloured")}) == 8


def test_two_hundred_runs_are_quick(browser, tmp_path):
    many = [made(f"run-{i}", 0.5 + i / 1000, i, str(i % 7), epochs=50) for i in range(200)]
    path = tmp_path / "many.html"
    path.write_text(page.render(many), encoding="utf-8")
    browser.get(path.as_uri())
    wait_for(browser, lambda: len(strokes(browser, "faint")) == 192)
    assert len(all_of(browser, "#table tbody tr")) == 200
    script = """
    const start = performance.now();
    document.querySelector('th[data-column="seed"] button').click();
    document.querySelector('#table tbody tr').click();
    const done = arguments[0];  // after Vega, which draws before the next picture
    requestAnimationFrame(() => setTimeout(() => done(performance.now() - start)));"""
    # Milliseconds: 800 to 1,950 were measured on two cores with a load of 12.
    assert browser.execute_async_script(script) < 5000


def test_the_outcome_of_rows():
    found = parsed([["0", "", "a", "a"], ["1", "", "a", "b"]])
    assert found.right.tolist() == [True, False]
