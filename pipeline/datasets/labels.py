"""Labels as class indices and as one-hot rows."""

import numpy as np
import numpy.typing as npt


def one_hot(labels: npt.NDArray[np.integer], classes: int) -> npt.NDArray[np.float32]:
    """Class indices (N,) as float32 (N, classes), two classes too.

    Raises:
        ValueError: labels that are not of one dimension, or not from 0 to below `classes`.
    """
    labels = np.asarray(labels)
    if labels.ndim != 1:
        raise ValueError(f"labels of shape {labels.shape}, expected (N,)")
    if labels.size and not 0 <= labels.min() <= labels.max() < classes:
        raise ValueError(f"labels from {labels.min()} to {labels.max()} for {classes} classes")
    rows = np.zeros((len(labels), classes), "float32")
    rows[np.arange(len(labels)), labels] = 1
    return rows


def class_indices(rows: npt.NDArray[np.floating]) -> npt.NDArray[np.int64]:
    """The inverse of `one_hot`: int64 (N,).

    Raises:
        ValueError: a row that is not one-hot.
    """
    rows = np.asarray(rows)
    if rows.ndim != 2 or not (((rows == 0) | (rows == 1)).all() and (rows.sum(axis=1) == 1).all()):
        raise ValueError("rows that are not one-hot")
    return rows.argmax(axis=1).astype("int64")
