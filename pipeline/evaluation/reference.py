"""data/model/reference.npz: what the answers of a model are measured with, beside the model.

Small arrays, no pickle: the temperature, the validation images' scores for sets with a promise
(`coverage`), and what the training images were like (`unlike`). A model that had no validation
part has none.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.evaluation.unlike import Unlike
from pipeline.runtime.arrays import save_arrays

NAME = "reference.npz"


@dataclass(frozen=True)
class Reference:
    """`temperature` is what fits the validation images best; with `applied` it is the model's
    last layer. `scores` are those of `coverage.nonconformity`; `layer` names the layer whose
    maps, or values, `unlike` reads."""

    temperature: float
    applied: bool
    scores: np.ndarray
    layer: str
    unlike: Unlike

    def save(self, path: Path) -> None:
        arrays: dict[str, npt.ArrayLike] = {
            "temperature": np.float64(self.temperature),
            "applied": np.bool_(self.applied),
            "scores": self.scores.astype("float32"),
            "layer": np.str_(self.layer),
            "points": self.unlike.points,
            "threshold": np.float64(self.unlike.threshold),
        }
        save_arrays(path, arrays)

    @classmethod
    def load(cls, path: Path) -> "Reference | None":
        """What is beside a model; None where it had no validation part, or is older."""
        if not path.is_file():
            return None
        with np.load(path, allow_pickle=False) as found:
            unlike = Unlike(found["points"], float(found["threshold"]))
            return cls(
                float(found["temperature"]),
                bool(found["applied"]),
                found["scores"],
                str(found["layer"]),
                unlike,
            )


def beside(model: Path) -> Path:
    """Where a model's reference is."""
    return model.with_name(NAME)
