"""JavaScript prepares a picture bit for bit as Pillow does, by each way to resize."""

import json
import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image

from tools.exporting import page
from tools.exporting.snippets import classify

RULES = [
    {"method": "stretch"},
    {"method": "crop", "share": 0.875},
    {"method": "pad", "grey": 128},
]
# Width and height of a picture, and height and width that it gets: smaller, larger, odd, the same.
SIZES = [
    ((640, 427), (150, 150)),
    ((31, 57), (64, 48)),
    ((28, 28), (28, 28)),
    ((500, 9), (32, 32)),
    ((101, 303), (33, 77)),
    ((7, 5), (40, 12)),
]


@pytest.fixture(scope="module")
def node() -> str:
    found = shutil.which("node")
    if not found:
        pytest.skip("needs Node.js: node is not on PATH")
    return found


@pytest.mark.parametrize("channels", [1, 3])
def test_the_same_pixels_as_pillow(node, tmp_path, channels):
    generator = np.random.default_rng(channels)
    cases, expected = [], []
    for rule in RULES:
        for (wide, high), (height, width) in SIZES:
            pixels = generator.integers(0, 256, (high, wide, 3), dtype="uint8")
            pixels[: high // 2] //= 3
            name = f"{len(cases)}.rgba"
            (tmp_path / name).write_bytes(Image.fromarray(pixels).convert("RGBA").tobytes())
            taken = {"height": height, "width": width, "channels": channels}
            cases.append({"file": name, "size": [wide, high], "input": taken, "resize": rule})
            image = Image.fromarray(pixels).convert("L" if channels == 1 else "RGB")
            expected.append(np.asarray(classify.fit(image, height, width, rule)).tobytes())
    (tmp_path / "cases.json").write_text(json.dumps(cases))
    (tmp_path / "classify.mjs").write_text(page.snippet(), encoding="utf-8")
    (tmp_path / "main.mjs").write_text(
        """import { prepared } from "./classify.mjs";
        import { readFileSync, writeFileSync } from "node:fs";
        for (const each of JSON.parse(readFileSync("cases.json"))) {
          const rgba = new Uint8ClampedArray(readFileSync(each.file));
          writeFileSync(each.file + ".out", prepared(rgba, ...each.size, each));
        }"""
    )
    done = subprocess.run([node, "main.mjs"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for case, wanted in zip(cases, expected, strict=True):
        assert (tmp_path / f"{case['file']}.out").read_bytes() == wanted, case


def test_a_way_to_resize_that_is_not_known(node, tmp_path):
    (tmp_path / "classify.mjs").write_text(page.snippet(), encoding="utf-8")
    code = """import { prepared } from "./classify.mjs";
    const input = { width: 2, height: 2, channels: 1 };
    prepared(new Uint8ClampedArray(4), 1, 1, { input, resize: { method: "warp" } });"""
    done = subprocess.run(
        [node, "--input-type=module", "-e", code], cwd=tmp_path, capture_output=True
    )
    assert b"resize: warp: unknown" in done.stderr
