"""The stage `features`: what it keeps of which part, that a kill costs nothing but time."""

import shutil
import signal
import subprocess
import sys
import zipfile
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from pipeline.errors import NoRoomError
from pipeline.parameters.stages import FeaturesParameters
from pipeline.pretrained import extraction
from pipeline.pretrained.arrays import digest, layout
from pipeline.pretrained.frozen import FrozenBase
from pipeline.pretrained.weights_file import read_file
from pipeline.runtime import estimate, files, paths
from pipeline.runtime.arrays import ArrayWriter, save_arrays
from stages import features
from tests import forking
from tests.pipeline.pretrained.support import random_arrays
from tests.support import run_stage, write_prepared

pytestmark = pytest.mark.usefixtures("workspace")

IMAGENET = {"method": "imagenet", "mean": [], "variance": []}
OUTS = {
    None: ["features.json", "test_maps.npy", "train_maps.npy", "validation_maps.npy"],
    "block5_conv1": [
        "features.json",
        "test_below.npy",
        "train_below.npy",
        "train_maps.npy",
        "validation_below.npy",
        "validation_maps.npy",
    ],
}

# Runs the stage with batches of eight images that are safe on disk at once,
# and kills it, as the kernel would, when it has appended so many of them. One
# that is not killed runs the stage a second time, with nothing to go on from.
KILLED = """
import os, signal, sys
from stages import features
from pipeline.pretrained import extraction, frozen
from pipeline.runtime import arrays
frozen.BATCH_PIXELS = 8 * 32 * 32
arrays.CHECKPOINT_SECONDS = -1
append, calls = extraction._append, []
def counted(writers, maps):
    append(writers, maps)
    calls.append(len(maps[0]))
    if len(calls) == int(sys.argv[1]):
        os.kill(os.getpid(), signal.SIGKILL)
extraction._append = counted
for folder in ("resumed", "whole"):
    features.main()
    os.rename("data/features", folder)
    print("computed", sum(calls))
    calls.clear()
"""


def ask_for(fine_tune_from=None, dtype="float32") -> None:
    wanted = {"model": "vgg16", "fine_tune_from": fine_tune_from, "dtype": dtype}
    files.write_json(FeaturesParameters.path(), {**wanted, "deterministic": True, "threads": 2})


def planned(prepared):
    parameters = FeaturesParameters.read()
    base = extraction.base_of(parameters, prepared)
    return extraction.plan(parameters, prepared, base)


def outs(folder: Path) -> dict[str, str]:
    return {path.name: files.sha256(path) for path in sorted(folder.iterdir())}


def run_killed_after(batches: int) -> subprocess.CompletedProcess[str]:
    return forking.run(str(batches), code=KILLED)


@pytest.fixture
def prepared(workspace):
    dataset = write_prepared(classes=2, size=32, channels=3, counts=(36, 12, 10))
    arrays = random_arrays(3)
    save_arrays(paths.WEIGHTS / "weights.npz", arrays)
    record = {"pretrained_weights": "mine.h5", "sha256": digest(arrays)}
    files.write_json(paths.WEIGHTS / "weights.json", record)
    yield dataset
    shutil.rmtree(workspace / "data")


def test_without_a_frozen_base_there_are_none():
    files.write_json(FeaturesParameters.path(), {"model": None})
    result = run_stage("features")
    assert (result.returncode, result.stderr) == (0, "")
    assert sorted(path.name for path in paths.FEATURES.iterdir()) == ["features.json"]
    assert files.read_json(paths.FEATURES / "features.json") == {"model": None}


def test_that_needs_no_heavy_import():
    files.write_json(FeaturesParameters.path(), {"model": None})
    program = (
        "import sys; from stages import features; features.main(); "
        "print([m for m in ('numpy', 'keras', 'tensorflow', 'tqdm') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "[]\n"


def test_a_killed_run_goes_on_and_ends_with_the_same_bytes(prepared):
    """58 images in batches of eight: five batches of train, two of validation, two of test."""
    ask_for(fine_tune_from="block5_conv1")
    first, second, third = (run_killed_after(batches) for batches in (1, 5, -1))
    assert (first.returncode, second.returncode) == (-signal.SIGKILL, -signal.SIGKILL)
    going_on = "features: resuming after 8 of {} images, from a run that was stopped\n"
    assert first.stdout == ""
    assert second.stdout == going_on.format("36 train")
    assert third.stdout == going_on.format("12 validation") + "computed 14\ncomputed 58\n"
    assert outs(Path("resumed")) == outs(Path("whole"))
    assert list(outs(Path("whole"))) == OUTS["block5_conv1"]
    assert not list((paths.state() / "resume").iterdir())
    check_the_maps(prepared, Path("whole"), {"maps": "block5_pool", "below": "block4_pool"})


def test_a_disk_that_cannot_hold_it_is_one_line(prepared, monkeypatch):
    """58 images, of which 1×1×512 float32 are kept."""
    ask_for()
    monkeypatch.setattr(
        estimate.shutil, "disk_usage", lambda path: SimpleNamespace(free=58 * 512 * 4 - 1)
    )
    with pytest.raises(
        NoRoomError, match=r"features-\w+/out: 0.00 GB are needed there and 0.00 GB"
    ):
        features.main()
    assert not paths.FEATURES.joinpath("train_maps.npy").exists()


@pytest.mark.parametrize(
    ("done", "start"), [((13, 10), 8), ((20, 17), 16), ((20, 20), 20), ((0, 20), 0), ((7, 7), 0)]
)
def test_two_arrays_go_on_in_step_at_the_border_of_a_batch(tmp_path, done, start):
    """Of twenty images in batches of eight."""
    writers = [ArrayWriter(tmp_path / f"{i}.npy", (20, 3), "float32") for i in range(2)]
    for writer, rows in zip(writers, done, strict=True):
        writer.append(np.ones((rows, 3), "float32"))
        writer.close()
    with ExitStack() as stack:
        paths = [writer.path for writer in writers]
        writers = [stack.enter_context(ArrayWriter(path, (20, 3), "float32")) for path in paths]
        assert [writer.done for writer in writers] == list(done)
        assert extraction._start("train", writers, 8) == start
        for writer in writers:
            writer.append(np.zeros((20 - start, 3), "float32"))
    for path in paths:
        assert np.load(path, allow_pickle=False).sum(axis=0).tolist() == [start] * 3


def check_the_maps(prepared, folder, kinds) -> None:
    """Compare all of them with the base run here, in one batch."""
    shape = tuple(prepared["image_shape"])
    for kind, layer in kinds.items():
        base = FrozenBase("vgg16", shape, prepared["normalization"], paths.WEIGHTS)
        maps_of = base.maps([layer])
        for path in folder.glob(f"*_{kind}.npy"):
            part = path.stem.removesuffix(f"_{kind}")
            maps = np.load(path, allow_pickle=False)
            images = np.load(paths.PREPARED / f"{part}_images.npy", allow_pickle=False)
            wanted = maps_of.predict(images, verbose=0)
            assert maps.dtype == np.dtype("float32")
            assert maps.shape[1:] == base.output_shape(layer)
            np.testing.assert_allclose(maps, wanted, rtol=1e-4, atol=1e-4 * wanted.max())
            assert np.abs(maps[0] - maps[1]).max() > 1e-2 * wanted.max()


def test_in_bfloat16_and_without_a_validation_part(prepared):
    write_prepared(classes=2, size=32, channels=3, counts=(6, 0, 4))
    ask_for(dtype="mixed_bfloat16")
    result = run_stage("features")
    assert result.returncode == 0, result.stderr
    assert list(outs(paths.FEATURES)) == OUTS[None]
    assert files.read_json(paths.FEATURES / "features.json") == {
        "model": "vgg16",
        "dtype": "mixed_bfloat16",
        "folded": 0,
        "maps": {"layer": "block5_pool", "shape": [1, 1, 512]},
        "below": None,
        "weights": files.read_json(paths.WEIGHTS / "weights.json")["sha256"],
    }
    maps = {part: np.load(paths.FEATURES / f"{part}_maps.npy") for part in paths.PARTS}
    assert [maps[part].shape for part in paths.PARTS] == [(n, 1, 1, 512) for n in (6, 0, 4)]
    assert maps["train"].dtype == np.dtype("float32")
    assert not (maps["train"].view("uint32") & 0xFFFF).any()  # every value is one of bfloat16


@pytest.mark.parametrize("budget", [58 * 2 * 2 * 512 * 4, 58 * 2 * 2 * 512 * 4 - 1])
def test_maps_below_are_kept_within_the_budget(prepared, monkeypatch, capsys, budget):
    monkeypatch.setattr(extraction, "BELOW_BUDGET", budget)
    ask_for(fine_tune_from="block5_conv1")
    kept, record = planned(prepared)
    if budget >= 58 * 2 * 2 * 512 * 4:
        assert record["below"] == {"layer": "block4_pool", "shape": [2, 2, 512]}
        assert kept["train"] == {"maps": "block5_pool", "below": "block4_pool"}
        assert kept["test"] == {"below": "block4_pool"}
    else:
        assert record["below"] is None
        assert record["why"] == ("475,136 bytes of block4_pool are more than the budget of 475,135")
        assert record["why"] in capsys.readouterr().out
        assert kept == {
            "train": {"maps": "block5_pool"},
            "validation": {"maps": "block5_pool"},
            "test": {},
        }


def test_nothing_is_below_the_first_layer(prepared):
    ask_for(fine_tune_from="block1_conv1")
    kept, record = planned(prepared)
    assert (record["below"], record["why"]) == (None, "block1_conv1 reads the pixels")
    assert kept["test"] == {}


def test_a_processor_without_bfloat16_is_told(prepared, monkeypatch, capsys):
    from pipeline import backend

    class ToldError(Exception):
        pass

    def stop(*_):
        raise ToldError

    monkeypatch.setattr(backend, "configure", stop)
    for native, lines in ((True, 0), (False, 1)):
        monkeypatch.setattr(backend, "native_bfloat16", lambda native=native: native)
        ask_for(dtype="mixed_bfloat16")
        with pytest.raises(ToldError):
            features.main()
        assert capsys.readouterr().out.count("no native bfloat16") == lines


def test_real_features_in_bfloat16_are_those_of_float32(shared_data):
    """To 1e-2 relative (L2), on photographs, with the real weights."""
    import keras
    from PIL import Image

    arrays = read_file(shared_data / "vgg16_imagenet_notop.h5", layout("vgg16"))
    save_arrays(paths.WEIGHTS / "weights.npz", arrays)
    with zipfile.ZipFile(shared_data / "cats-and-dogs-small.zip") as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".jpg"))[::500]
        pictures = [Image.open(archive.open(name)).resize((150, 150)) for name in names]
    images = np.stack([np.asarray(picture) for picture in pictures])
    maps = {}
    policy = keras.config.dtype_policy()
    for dtype in ("float32", "mixed_bfloat16"):
        try:
            keras.config.set_dtype_policy(dtype)
            base = FrozenBase("vgg16", (150, 150, 3), IMAGENET, paths.WEIGHTS)
            found = base.maps(["block5_pool"]).predict_on_batch(images)
            maps[dtype] = found.astype("float32")
        finally:
            keras.config.set_dtype_policy(policy)
    shutil.rmtree(paths.WEIGHTS)
    exact = maps["float32"]
    assert exact.shape == (8, 4, 4, 512)
    assert 0 < np.linalg.norm(maps["mixed_bfloat16"] - exact) / np.linalg.norm(exact) < 1e-2
