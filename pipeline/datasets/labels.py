"""Labels as one-hot rows."""

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
