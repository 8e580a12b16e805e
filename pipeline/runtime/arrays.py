"""Arrays on disk: written row by row so that a killed stage goes on, read without loading them."""

import io
import json
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from pipeline.runtime import files

Array = npt.NDArray[Any]

# Seconds between two records of progress: what a kill may cost, and more than
# an fsync of what was written in the meantime takes.
CHECKPOINT_SECONDS = 10.0


def load_array(path: Path) -> Array:
    """The array of an .npy file, read-only and mapped: its rows are read when they are used.

    Raises:
        ValueError: the file is not .npy, or holds pickled objects, which are never loaded.
    """
    array: Array = np.load(path, mmap_mode="r", allow_pickle=False)
    return array


def save_arrays(path: Path, arrays: Mapping[str, npt.ArrayLike]) -> None:
    """Write an .npz file, of the same bytes for the same arrays: np.savez dates them 1980-01-01."""
    with files.atomic(path) as partial, partial.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def read_in_steps(path: Path, step_bytes: int = 8 << 20) -> Iterator[Array]:
    """The rows of an .npy file, a few megabytes at a time.

    What has been read of a mapped array counts as the process's memory; this does not stay.
    """
    array = load_array(path)
    shape, dtype, offset = array.shape, array.dtype, path.stat().st_size - array.nbytes
    del array
    row_items = int(np.prod(shape[1:], dtype=np.int64))
    step = max(1, step_bytes // max(1, row_items * dtype.itemsize))
    with path.open("rb") as file:
        file.seek(offset)
        for start in range(0, shape[0], step):
            rows = min(step, shape[0] - start)
            yield np.fromfile(file, dtype, rows * row_items).reshape(rows, *shape[1:])


class ArrayWriter:
    """Appends rows to an .npy file; after a crash a new writer goes on where it stood.

    `shape` is that of the whole array, (rows, …). Beside the file stands
    <name>.progress with the number of rows that are safely on disk; it goes
    when the last row is there, and the file is then what `numpy.save` writes.

        with ArrayWriter(path, (n, 7, 7, 512), "float32") as writer:
            for start in range(writer.done, n, batch):
                writer.append(compute(start, start + batch))

    Leaving the block early (an exception, Ctrl-C) records the progress;
    leaving it regularly with rows missing is a ValueError.
    """

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: npt.DTypeLike) -> None:
        self.path = path
        self.shape = tuple(int(length) for length in shape)
        self.dtype = np.dtype(dtype)
        self.rows = self.shape[0]
        self.done = 0
        self._progress = path.with_name(f"{path.name}.progress")
        self._row_bytes = self.dtype.itemsize * int(np.prod(self.shape[1:], dtype=np.int64))
        self._header = _header(self.shape, self.dtype)
        self._recorded = time.monotonic()
        path.parent.mkdir(parents=True, exist_ok=True)
        self.done = self._rows_on_disk()
        if not self.done:
            self._record(0)
            path.write_bytes(self._header)
        # Unbuffered: after a full disk there is nothing left to flush.
        self._file = path.open("r+b", buffering=0)
        self.rewind(self.done)

    def append(self, rows: Array) -> None:
        """Write rows of the array's own dtype after the last one.

        Raises:
            ValueError: another dtype or shape, or more rows than there is room for.
        """
        if rows.dtype != self.dtype or rows.shape[1:] != self.shape[1:]:
            raise ValueError(
                f"{self.path.name}: rows of {rows.dtype} {rows.shape[1:]}, "
                f"expected {self.dtype} {self.shape[1:]}"
            )
        if self.done + len(rows) > self.rows:
            raise ValueError(f"{self.path.name}: more than its {self.rows} rows")
        if rows.size:
            left = np.ascontiguousarray(rows).data.cast("B")
            while left:
                left = left[self._file.write(left) :]
        self.done += len(rows)
        if time.monotonic() - self._recorded > CHECKPOINT_SECONDS:
            self.checkpoint()

    def checkpoint(self) -> None:
        """Bring the rows to the disk and then record their number."""
        os.fsync(self._file.fileno())
        self._record(self.done)

    def rewind(self, rows: int) -> None:
        """Go back to the first `rows` rows, to bring several arrays into step."""
        if rows < self.done:
            self._record(rows)
        self.done = rows
        self._file.truncate(len(self._header) + rows * self._row_bytes)
        self._file.seek(0, os.SEEK_END)

    def close(self) -> None:
        """Record the progress and close the file; all rows there means finished."""
        if self._file.closed:
            return
        self.checkpoint()
        self._file.close()
        if self.done == self.rows:
            self._progress.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
        if error is None and self.done < self.rows:
            raise ValueError(f"{self.path.name}: {self.done} of {self.rows} rows written")

    def _rows_on_disk(self) -> int:
        """How many rows an earlier writer of the same array has left."""
        try:
            with self.path.open("rb") as file:
                if file.read(len(self._header)) != self._header:
                    return 0
                size = file.seek(0, os.SEEK_END) - len(self._header)
        except FileNotFoundError:
            return 0
        complete = self.rows * self._row_bytes
        try:
            rows = int(files.read_json(self._progress)["rows"])
        except FileNotFoundError:
            return self.rows if size == complete else 0
        except (ValueError, KeyError, TypeError):
            return 0
        return rows if rows <= self.rows and size >= rows * self._row_bytes else 0

    def _record(self, rows: int) -> None:
        files.write_text(self._progress, json.dumps({"rows": rows}))
        self._recorded = time.monotonic()


def _header(shape: tuple[int, ...], dtype: np.dtype[Any]) -> bytes:
    """The header that `numpy.save` writes for such an array."""
    buffer = io.BytesIO()
    description = np.lib.format.dtype_to_descr(dtype)
    np.lib.format.write_array_header_1_0(
        buffer, {"descr": description, "fortran_order": False, "shape": shape}
    )
    return buffer.getvalue()
