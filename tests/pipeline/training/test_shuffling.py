"""The order of an epoch: of all images at random, or block by block where they are too many."""

import os
from pathlib import Path

import numpy as np
import pytest

from pipeline.runtime.arrays import load_array
from pipeline.training import shuffling
from pipeline.training.batches import Batches, Kept


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Images of 4 bytes are too many from 60 on; blocks of ten, three of them together."""
    monkeypatch.setattr(shuffling, "WHOLE_BYTES", 4 * 59)
    monkeypatch.setattr(shuffling, "BLOCK_BYTES", 4 * 10)
    monkeypatch.setattr(shuffling, "WINDOW_BYTES", 4 * 30)


def images(count: int) -> np.ndarray:
    return np.arange(count * 4, dtype="uint8").reshape(count, 2, 2, 1)


def test_what_memory_holds_is_shuffled_whole() -> None:
    """As ever: the model's bytes hang on it."""
    expected = np.random.default_rng([7, 3]).permutation(59)
    np.testing.assert_array_equal(shuffling.order(7, 3, images(59)), expected)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("count", [60, 95, 101])
def test_every_image_comes_once_and_a_window_has_whole_blocks(count: int) -> None:
    order = shuffling.order(7, 3, images(count))
    assert sorted(order) == list(range(count))
    windows = [order[:30], order[30:60]] if count == 60 else [order[:25], order[:30]]
    whole = [set(window // 10) for window in windows]
    assert min(map(len, whole)) <= 3
    assert (np.diff(order) != 1).mean() > 0.8
    assert (order != shuffling.order(7, 4, images(count))).any()
    np.testing.assert_array_equal(order, shuffling.order(7, 3, images(count)))


@pytest.mark.usefixtures("small")
def test_the_next_blocks_are_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a mapped file: each block once an epoch, before an image of it is read."""
    np.save(tmp_path / "images.npy", images(90))
    inputs = load_array(tmp_path / "images.npy")
    asked: list[int] = []
    monkeypatch.setattr(
        shuffling.os, "posix_fadvise", lambda file, at, size, advice: asked.append(at)
    )
    batches = Batches(inputs, np.eye(3, dtype="float32")[np.arange(90) % 3], 6, shuffle=True)
    for epoch in (0, 1):
        batches.epoch = epoch
        asked.clear()
        for batch in range(len(batches)):
            batches[batch]
            rows = shuffling.order(0, epoch, inputs)[batch * 6 : batch * 6 + 6]
            assert {inputs.offset + row // 10 * 40 for row in rows.tolist()} <= set(asked)
        assert sorted(asked) == [inputs.offset + 40 * block for block in range(9)]


@pytest.mark.usefixtures("small")
def test_the_file_is_closed_with_the_last_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save(tmp_path / "images.npy", images(90))
    opened: list[int] = []
    monkeypatch.setattr(shuffling.os, "posix_fadvise", lambda file, *rest: opened.append(file))
    ahead = shuffling.Ahead(load_array(tmp_path / "images.npy"))
    ahead.look(0, np.arange(90), 0)
    os.fstat(opened[0])
    del ahead
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(opened[0])


@pytest.mark.usefixtures("small")
def test_with_some_left_out_the_rest_comes_once() -> None:
    kept = Kept(images(70), [3, 4, 69])
    assert sorted(shuffling.order(1, 0, kept)) == list(range(67))
