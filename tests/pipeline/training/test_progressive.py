"""Progressive resizing: smaller images first, the whole ones at the end, the same after a kill."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import backend
from pipeline.networks import build
from pipeline.networks.building import of_any_size
from pipeline.training import checkpoint, progressive
from pipeline.training.batches import Batches
from pipeline.training.checkpoint import Progress
from pipeline.training.fitting import CHECKPOINT, Phase, fit

IMAGES = np.random.default_rng(3).integers(0, 256, (24, 8, 8, 1), dtype="uint8")
LABELS = np.eye(3, dtype="float32")[np.arange(24) % 3]


def test_the_sides_grow_in_steps_and_the_last_fifth_is_whole():
    found = progressive.sizes(32, 32, 0.625, 13)
    assert found == [(side, side) for side in [20] * 2 + [24] * 4 + [28] * 3 + [32] * 4]
    assert progressive.sizes(30, 20, 0.5, 3) == [(16, 8), (24, 16), (30, 20)]
    assert progressive.sizes(32, 32, 0.5, 1) == [(32, 32)]


@given(
    side=st.integers(8, 1024), first=st.floats(0.01, 0.99), epochs=st.integers(1, 200),
)  # fmt: skip
def test_no_side_shrinks_or_is_larger_than_the_image(side, first, epochs):
    sides = [height for height, _ in progressive.sizes(side, side, first, epochs)]
    assert len(sides) == epochs
    assert sides == sorted(sides)
    assert sides[0] >= min(side, progressive.STEP)
    assert sides[-1] == side
    assert sides.count(side) >= epochs / 5


def test_a_smaller_image_is_the_mean_of_what_falls_into_its_pixels():
    halves = np.zeros((1, 8, 8, 3), "uint8")
    halves[:, :, 4:] = (10, 100, 200)
    smaller = progressive.resized(halves, (4, 4))
    assert smaller.shape == (1, 4, 4, 3)
    np.testing.assert_array_equal(smaller[0, :, 0], 0)
    np.testing.assert_array_equal(smaller[0, :, 3], [[10, 100, 200]] * 4)
    assert progressive.resized(IMAGES, (4, 6)).shape == (24, 4, 6, 1)
    assert progressive.resized(IMAGES, (8, 8)) is IMAGES


def test_what_fit_reads_has_the_sizes_of_its_epoch():
    batches = Batches(IMAGES, LABELS, 10, sizes=[(4, 4), (8, 8)], augmentation="translate")
    fed = backend.feed(batches)
    for epoch, side in enumerate((4, 8)):
        batches.epoch = epoch
        assert [images.shape for images, _ in fed] == [(n, side, side, 1) for n in (10, 10, 4)]


def trained(folder, model, until: int | None = None):
    """resnet20 for three epochs of 4, 4 and 8 pixels, stopped after so many; its history."""
    sizes = progressive.sizes(8, 8, 0.5, 3)
    assert sizes == [(4, 4), (8, 8), (8, 8)]
    train = Batches(IMAGES, LABELS, 10, seed=1, shuffle=True, sizes=sizes)
    phase = Phase(
        name="train", model=of_any_size(model), train=train,
        validation=Batches(IMAGES, LABELS, 24), epochs=3, optimizer="sgd", momentum=0.9,
        weight_decay=0.0, learning_rate=0.1, learning_rate_schedule="linear", warmup_epochs=0,
        label_smoothing=0.0, early_stopping=None, best_weights=False,
    )  # fmt: skip
    progress = checkpoint.read_progress(folder / CHECKPOINT) or Progress()

    def stop(progress):
        if len(progress.history) == until:
            raise KeyboardInterrupt

    fit([phase], folder, progress, stop)
    return progress.history


def test_a_killed_run_goes_on_at_its_size(tmp_path):
    backend.configure(0, 2, True, "float32")
    minmax = {"method": "minmax", "mean": [], "variance": []}
    models = []
    for _ in range(2):
        keras.utils.set_random_seed(1)
        models.append(build("resnet20", (8, 8, 1), 3, normalization=minmax))
    whole, resumed = models
    for name in ("whole", "resumed"):
        (tmp_path / name).mkdir()
    history = trained(tmp_path / "whole", whole)
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "resumed", resumed, until=1)
    assert trained(tmp_path / "resumed", resumed) == history
    for ours, theirs in zip(resumed.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert whole.input_shape == (None, 8, 8, 1)  # what is saved takes the whole images
