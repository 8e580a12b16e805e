"""What a stage will take, from a first measured block, and whether the disk can hold it."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import NoRoomError
from pipeline.runtime import estimate
from pipeline.runtime.estimate import Forecast, check_disk, minutes, of_epochs


def forecast(images: int, batch: int, seconds: float, first: float = 0.0, skip: int = 0):
    """What is said of images that take so many seconds a batch, the first one more; and when."""
    said: list[str] = []
    passed = [0.0]
    found = Forecast(images, 7_500_000_000, said.append, lambda: passed[0])
    found.skip(skip)
    at = None
    passed[0] += first
    for _ in range(skip, images, batch):
        passed[0] += seconds
        found.add(batch)
        at = passed[0] if said and at is None else at
    return said, at


def test_it_is_said_once_after_a_first_block_and_without_the_start() -> None:
    said, at = forecast(50_000, 100, 1.0, first=30.0)
    assert said == ["49,900 images at 100 a second: about 8 minutes and 7.50 GB of disk"]
    assert at == 36.0


def test_what_a_stopped_run_has_done_does_not_count() -> None:
    (line,), _ = forecast(50_000, 100, 1.0, skip=30_000)
    assert line.startswith("19,900 images at 100 a second: about 3 minutes")


def test_nothing_is_said_of_what_takes_under_a_minute() -> None:
    assert forecast(5_900, 100, 1.0)[0] == []
    assert forecast(6_300, 100, 1.0)[0] != []
    assert forecast(100, 100, 500.0)[0] == []  # one block: there is nothing left


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 400), st.floats(0.2, 30))
def test_an_even_pace_is_told_rightly(batches: int, seconds: float) -> None:
    said, _ = forecast(batches * 10, 10, seconds)
    left = (batches - 1) * seconds
    if left > 61:
        # A sum of seconds may fall on either side of half a minute.
        told = [minutes(left * nearly) for nearly in (0.999, 1.001)]
        assert any(f": about {each} and " in said[0] for each in told)
    assert len(said) <= 1


def test_epochs_that_are_left() -> None:
    assert of_epochs(35.25, 11) == "an epoch takes 35.2 s, the 11 left up to 6 minutes"
    assert of_epochs(900, 1) == "an epoch takes 900 s, the one left 15 minutes"
    assert of_epochs(5, 12) is None
    assert of_epochs(3600, 0) is None
    assert minutes(2 * 3600) == "2.0 hours"


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A disk with 3 GB free; `asked` are the folders that were asked about."""
    found = SimpleNamespace(free=3_000_000_000, asked=[])

    def usage(path: Path) -> SimpleNamespace:
        found.asked.append(path)
        assert path.exists()
        return found

    monkeypatch.setattr(estimate.shutil, "disk_usage", usage)
    return found


def test_a_disk_that_is_too_small_is_one_line(disk: SimpleNamespace, tmp_path: Path) -> None:
    folder = tmp_path / "not" / "there yet"
    check_disk(folder, 3_000_000_000)
    with pytest.raises(NoRoomError) as error:
        check_disk(folder, 3_000_000_001 + 9 * 10**9, "or choose a smaller image_size")
    assert str(error.value) == (
        f"{folder}: 12.00 GB are needed there and 3.00 GB free; make room or choose a smaller "
        "image_size"
    )
    assert set(disk.asked) == {tmp_path}
    assert not folder.exists()


def test_what_stands_there_already_is_not_needed_twice(
    disk: SimpleNamespace, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "train_images.npy").write_bytes(bytes(1000))
    disk.free = 500
    check_disk(tmp_path, 1500)
    with pytest.raises(NoRoomError):
        check_disk(tmp_path, 1501)
