"""Arrays written row by row: what numpy.save writes, and whole after any number of kills."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.runtime import arrays
from pipeline.runtime.arrays import ArrayWriter, load_array, read_in_steps
from tests.support import recorded_syncs

ROWS = np.random.default_rng(0).normal(size=(20, 3, 2)).astype("float32")


@pytest.mark.parametrize("shape", [(0, 4, 4, 1), (5,), (3, 2), (4, 2, 2, 3)])
@pytest.mark.parametrize("dtype", ["uint8", "float32", "int64"])
def test_the_file_is_what_numpy_writes(tmp_path: Path, shape: tuple[int, ...], dtype: str) -> None:
    array = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    np.save(tmp_path / "numpy.npy", array)
    with ArrayWriter(tmp_path / "ours.npy", shape, dtype) as writer:
        for row in range(shape[0]):
            writer.append(array[row : row + 1])
    assert (tmp_path / "ours.npy").read_bytes() == (tmp_path / "numpy.npy").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["numpy.npy", "ours.npy"]
    loaded = load_array(tmp_path / "ours.npy")
    assert loaded.tolist() == array.tolist()
    assert not loaded.flags.writeable


def test_rows_are_on_the_disk_before_their_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a power cut rows that never came would else count as done."""
    with ArrayWriter(tmp_path / "a.npy", ROWS.shape, ROWS.dtype) as writer:
        empty = (tmp_path / "a.npy").stat().st_size
        done = recorded_syncs(monkeypatch)
        record = writer._record
        monkeypatch.setattr(writer, "_record", lambda n: (done.append(f"{n} rows"), record(n)))
        writer.append(ROWS[:5])
        writer.checkpoint()
        assert done[:2] == [f"{empty + 5 * 24} bytes", "5 rows"]
        writer.append(ROWS[5:])


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(1, 7), min_size=1, max_size=6), st.booleans())
def test_kills_change_nothing(
    tmp_path_factory: pytest.TempPathFactory, batches: list[int], durable: bool
) -> None:
    """A writer that just goes away, with the rows recorded or not, and another in its place."""
    path = tmp_path_factory.mktemp("arrays") / "a.npy"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(arrays, "CHECKPOINT_SECONDS", -1 if durable else 1e9)
        done = 0
        for batch in batches:
            killed = ArrayWriter(path, ROWS.shape, "float32")
            assert killed.done == (done if durable else 0)
            killed.append(ROWS[killed.done : killed.done + batch])
            done = killed.done
            if done == len(ROWS):
                break
        with ArrayWriter(path, ROWS.shape, "float32") as last:
            last.append(ROWS[last.done :])
    assert np.load(path).tolist() == ROWS.tolist()


def test_an_interrupted_block_records_what_is_done(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"

    def interrupted() -> None:
        with ArrayWriter(path, ROWS.shape, "float32") as writer:
            writer.append(ROWS[:7])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert ArrayWriter(path, ROWS.shape, "float32").done == 7


def test_a_finished_array_stays_finished(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    with ArrayWriter(path, ROWS.shape, "float32") as writer:
        writer.append(ROWS)
    with ArrayWriter(path, ROWS.shape, "float32") as writer:
        assert writer.done == len(ROWS)
    assert np.load(path).tolist() == ROWS.tolist()


@pytest.mark.parametrize(
    ("shape", "dtype"), [((20, 3, 3), "float32"), ((21, 3, 2), "float32"), ((20, 3, 2), "float64")]
)
def test_another_array_of_that_name_is_no_beginning(
    tmp_path: Path, shape: tuple[int, ...], dtype: str
) -> None:
    path = tmp_path / "a.npy"
    with ArrayWriter(path, ROWS.shape, "float32") as writer:
        writer.append(ROWS)
    assert ArrayWriter(path, shape, dtype).done == 0


@pytest.mark.parametrize("record", ["", "{}", '{"rows": "x"}', '{"rows": 21}', '{"rows": 9}'])
def test_a_record_that_the_file_does_not_bear_out_is_not_believed(
    tmp_path: Path, record: str
) -> None:
    path = tmp_path / "a.npy"
    killed = ArrayWriter(path, ROWS.shape, "float32")
    killed.append(ROWS[:8])
    (tmp_path / "a.npy.progress").write_text(record)
    assert ArrayWriter(path, ROWS.shape, "float32").done == 0


def test_rewind_brings_arrays_into_step(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    with ArrayWriter(path, ROWS.shape, "float32") as writer:
        writer.append(ROWS[:15])
        writer.rewind(5)
        assert ArrayWriter(path, ROWS.shape, "float32").done == 5
        writer.append(ROWS[5:])
    assert np.load(path).tolist() == ROWS.tolist()


def test_wrong_rows_are_refused(tmp_path: Path) -> None:
    writer = ArrayWriter(tmp_path / "a.npy", ROWS.shape, "float32")
    with pytest.raises(ValueError, match=r"rows of float64 \(3, 2\), expected float32 \(3, 2\)"):
        writer.append(ROWS.astype("float64"))
    with pytest.raises(ValueError, match=r"rows of float32 \(3,\)"):
        writer.append(ROWS[:, :, 0])
    writer.append(ROWS)
    with pytest.raises(ValueError, match="more than its 20 rows"):
        writer.append(ROWS[:1])
    with (
        pytest.raises(ValueError, match="0 of 20 rows written"),
        ArrayWriter(tmp_path / "b.npy", ROWS.shape, "float32"),
    ):
        pass


@pytest.mark.parametrize("step_bytes", [1, 50, 1 << 20])
@pytest.mark.parametrize("count", [0, 1, 20])
def test_reading_in_steps(tmp_path: Path, step_bytes: int, count: int) -> None:
    np.save(tmp_path / "a.npy", ROWS[:count])
    steps = list(read_in_steps(tmp_path / "a.npy", step_bytes))
    assert sum(len(rows) for rows in steps) == count
    assert all(rows.nbytes <= max(step_bytes, ROWS[0].nbytes) for rows in steps)
    if count:
        assert np.concatenate(steps).tolist() == ROWS[:count].tolist()


def test_no_pickle_is_loaded(tmp_path: Path) -> None:
    np.save(tmp_path / "objects.npy", np.array([{"a": 1}]), allow_pickle=True)
    (tmp_path / "pickle.npy").write_bytes(pickle.dumps(ROWS))
    for name in ("objects.npy", "pickle.npy"):
        with pytest.raises(ValueError, match=r"pickle|Python object"):
            load_array(tmp_path / name)
