"""Headless Chromium: a page at a size, light or dark, as a small PNG."""

import contextlib
import io
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from PIL import Image

from pipeline.errors import PipelineError

PROGRAMS = ("chromium", "chromedriver")
SWITCHES = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--hide-scrollbars",
)
# Seconds that a page may take until it shows what it is waited for.
PATIENCE = 60
# Bytes of a picture in the docs.
LARGEST = 200_000


@contextlib.contextmanager
def opened() -> Iterator[Any]:
    """A driver of Chromium, with a profile of its own that goes when it ends.

    Raises:
        PipelineError: Chromium, its driver or selenium is not there.
    """
    missing = [name for name in PROGRAMS if not shutil.which(name)]
    if missing:
        raise PipelineError(
            f"{' and '.join(missing)}: not installed; they are Debian's packages chromium and "
            "chromium-driver"
        )
    try:
        from selenium import webdriver
    except ModuleNotFoundError:
        raise PipelineError("selenium: not installed; run `make dev`") from None
    options = webdriver.ChromeOptions()
    options.binary_location = str(shutil.which("chromium"))
    # Chromium may still write into its profile when it is told to end.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        for switch in (*SWITCHES, f"--user-data-dir={profile}"):
            options.add_argument(switch)
        service = webdriver.ChromeService(str(shutil.which("chromedriver")))
        driver = webdriver.Chrome(options, service)
        try:
            yield driver
        finally:
            driver.quit()


def picture(
    driver: Any,
    address: str,
    size: tuple[int, int],
    ready: Callable[[Any], bool],
    *,
    dark: bool = False,
    scale: float = 1,
    script: str = "",
) -> Image.Image:
    """The page's first `size` (width, height) pixels, when it is ready.

    Args:
        dark: as with a person's dark setting.
        scale: of the picture, in device pixels a pixel.
        script: JavaScript that runs before the picture is taken.

    Raises:
        PipelineError: it did not become ready in time.
    """
    width, height = size
    screen = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": width < 500}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    driver.get(address)
    end = time.monotonic() + PATIENCE
    while not ready(driver):
        if time.monotonic() > end:
            raise PipelineError(f"{address}: did not show in {PATIENCE} s what it should")
        time.sleep(0.2)
    if script:
        driver.execute_script(script)
    time.sleep(1)  # what is drawn in the next moments: Vega, MLflow's charts
    return Image.open(io.BytesIO(driver.get_screenshot_as_png())).convert("RGB")


def save(image: Image.Image, path: Path, most: int = LARGEST) -> None:
    """Write a PNG of at most `most` bytes, with as many colours as that allows.

    Raises:
        PipelineError: 16 colours are too many for it.
    """
    for colours in (256, 128, 64, 32, 16):
        buffer = io.BytesIO()
        image.quantize(colours, method=Image.Quantize.MEDIANCUT).save(buffer, "PNG", optimize=True)
        if buffer.tell() <= most:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(buffer.getvalue())
            return
    raise PipelineError(f"{path}: larger than {most:,} bytes with 16 colours; take a smaller part")
