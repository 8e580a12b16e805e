"""Every network of the zoo in every format, the same bytes twice, and in 8 bits."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.networks import registry
from pipeline.networks.answering import answering, divided
from pipeline.networks.building import single_view
from pipeline.networks.predicting import predict
from pipeline.runtime import files, paths
from tests.tools.exporting.making import exported, need_runtime, write_workspace
from tests.tools.serving.training import write_reference
from tools.exporting import formats, graph, npm, page
from tools.exporting.snippets import classify
from tools.serving.engine import of_keras, of_onnx

pytestmark = pytest.mark.slow

MODULES = "IMAGE_PIPELINE_NODE_MODULES"

STANDARD = {"method": "standard", "mean": [100.0] * 3, "variance": [3000.0] * 3}
IMAGENET = {"method": "imagenet", "mean": [], "variance": []}
# What of the zoo is built with more than its name: activations, views, mixed layers.
VARIANTS = {
    "maxout": ("two_block_cnn", {"activation": "maxout"}),
    "leaky_relu": ("three_block_cnn", {"activation": "leaky_relu"}),
    "tanh": ("mnist_deep_cnn", {"activation": "tanh"}),
    "elu": ("mnist_cnn", {"activation": "elu"}),
    "gelu": ("double_conv_cnn", {"activation": "gelu"}),
    "quick_gelu": ("double_conv_cnn", {"activation": "quick_gelu"}),
    "six views": ("fast_cnn", {"views": 6, "mirror": True}),
    "three views": ("fast_cnn", {"views": 6, "mirror": False}),
    "two views": ("resnet20", {"views": 2, "mirror": True}),
    "two classes": ("resnet20", {"classes": 2}),
}
ALL = {n: (n, {}) for n in registry.networks()} | VARIANTS


def options(name: str, more: dict) -> dict:
    found = registry.find(name)
    size = max(found.smallest_image, min(found.published.image_size, 48))
    normalization = IMAGENET if found.published.normalization == "imagenet" else STANDARD
    return {"size": size, "normalization": normalization, "counts": (30, 12, 20), **more}


@pytest.mark.parametrize("variant", ALL)
def test_every_network(variant, tmp_path, monkeypatch):
    """Compared by the export itself to 1e-4 with every class equal; here a batch of other sizes."""
    name, more = ALL[variant]
    model = write_workspace(
        tmp_path / "w", monkeypatch, network=name, channels=3, epochs=0, **options(name, more)
    )
    images = np.load(paths.PREPARED / "test_images.npy")
    write_reference(model, images, np.load(paths.PREPARED / "test_labels.npy").argmax(axis=1))
    wanted = "onnx,litert,saved_model"
    if importlib.util.find_spec("openvino"):
        wanted += ",openvino"
    folder = exported("--to", wanted)
    assert files.read_json(folder / "model.json")["files"]["model.onnx"]["features"]["size"]
    expected = predict(graph.rebuilt(paths.MODEL_FILE), images)
    for each in wanted.split(","):
        one = formats.ALL[each]
        answer = one.answer(folder / one.file, 2)
        for count in (5, 1):
            np.testing.assert_allclose(answer(images[:count]), expected[:count], atol=1e-4)


def test_exported_twice_in_two_processes(tmp_path, monkeypatch):
    """The same bytes, but for the SavedModel and the card."""
    wanted = "onnx,litert" + (",openvino" if importlib.util.find_spec("openvino") else "")
    if npm.archive_file().is_file():
        wanted += ",html"
    model = write_workspace(tmp_path / "w", monkeypatch, views=2, mirror=True)
    images = np.load(paths.PREPARED / "test_images.npy")
    reference = write_reference(model, images, np.arange(len(images)) % 3)
    command = [sys.executable, "-m", "tools.export", "--to", wanted, "--quantize", "int8"]
    found = []
    for _ in range(2):
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        (folder,) = Path("exports").iterdir()
        found.append({path.name: files.sha256(path) for path in sorted(folder.iterdir())})
        found[-1].pop("model_card.md")
        rows, seen = of_onnx(folder / "model.onnx", 1, reference).outputs(images)
        shutil.rmtree("exports")
    assert {"model.int8.onnx", "model.int8.tflite", "model.json"} <= found[0].keys()
    assert found[0] == found[1]
    np.testing.assert_allclose(rows, predict(model, images), atol=1e-5)
    once = answering(single_view(model), reference.layer)
    np.testing.assert_allclose(seen, divided(predict(once, images), 3)[1], atol=1e-5)
    of_views = of_keras(model, reference).outputs(images)
    np.testing.assert_allclose(of_views[1], seen, atol=1e-5)


def test_eight_bits_are_a_quarter_and_cost_half_a_point_at_most(tmp_path, monkeypatch):
    model = write_workspace(
        tmp_path / "w", monkeypatch, network="two_block_cnn", size=16, counts=(300, 30, 600),
        classes=4, epochs=6,
    )  # fmt: skip
    folder = exported("--quantize", "int8")
    images = np.load(paths.PREPARED / "test_images.npy")
    labels = np.load(paths.PREPARED / "test_labels.npy").argmax(axis=1)
    before = float((predict(model, images).argmax(axis=1) == labels).mean())
    assert before > 0.8
    for name in ("onnx", "litert"):
        one = formats.ALL[name]
        small, large = folder / str(one.int8), folder / one.file
        assert small.stat().st_size < 0.3 * large.stat().st_size
        own = float((one.answer(small, 2)(images).argmax(axis=1) == labels).mean())
        assert own >= before - 0.005
        stands = files.read_json(folder / "model.json")["files"][small.name]["agrees"]
        assert stands["accuracy"] == pytest.approx(own)


def test_the_program_in_node(tmp_path, monkeypatch):
    """A picture as .ppm, in a process without anything of ours."""
    if not shutil.which("node"):
        pytest.skip("needs Node.js: node is not on PATH")
    modules = os.environ.get(MODULES)
    if not modules:
        pytest.skip(f"set {MODULES} to a node_modules folder with onnxruntime-web in it")
    model = write_workspace(tmp_path / "w", monkeypatch, channels=3, epochs=2)
    folder = exported("--to", "onnx")
    (folder / "node_modules").symlink_to(modules)
    pixels = np.random.default_rng(0).integers(0, 256, (19, 30, 3), dtype="uint8")
    Image.fromarray(pixels).save(folder / "photo.ppm")
    done = subprocess.run(
        ["node", "classify.mjs", "photo.ppm"], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    described = files.read_json(folder / "model.json")
    (expected,) = predict(model, classify.read(str(folder / "photo.ppm"), described))
    best = int(expected.argmax())
    assert done.stdout == f"photo.ppm: class {best} {expected[best]:.4f}\n"


def test_a_page_that_is_too_large(tmp_path, monkeypatch):
    need_runtime()
    monkeypatch.setattr(page, "MOST_BYTES", 1_000_000)
    write_workspace(tmp_path / "w", monkeypatch, epochs=0)
    with pytest.raises(
        Exception, match=r"^html: the page would have \d MB, more than 1; --quantize"
    ):
        exported("--to", "html")
