"""How far a model's answers on the test images can be trusted: data/explanations/trust.json."""

from typing import Any

import numpy as np

from pipeline.errors import PipelineError
from pipeline.evaluation import certainty, coverage, unlike
from pipeline.evaluation.calibration import at_temperature
from pipeline.evaluation.reference import Reference

PROMISES = (0.8, 0.9, 0.95, 0.99)
PROMISE = 0.95  # the one that metrics.json has
SHOWN = 12  # of the most unlike test images


def trust(
    reference: Reference | None,
    labels: np.ndarray,
    probabilities: np.ndarray,
    features: np.ndarray | None,
) -> dict[str, Any]:
    """What the report shows; without a reference only how well the probabilities are calibrated.

    Args:
        labels: (n,) integer.
        probabilities: float32 (n, classes), as the model gives them.
        features: float32 (n, d), of the reference's layer.
    """
    if reference is None or features is None:
        said = certainty.described(probabilities, labels)
        return {"calibration": {"temperature": None, "applied": False, "before": said}}
    # What is applied already is taken off again, for the comparison.
    by = 1 / reference.temperature if reference.applied else reference.temperature
    other = certainty.described(at_temperature(probabilities, by), labels)
    own = certainty.described(probabilities, labels)
    before, after = (other, own) if reference.applied else (own, other)
    distances = reference.unlike.distances(features)
    return {
        "calibration": {
            "temperature": reference.temperature,
            "applied": reference.applied,
            "images": len(reference.scores),
            "before": before,
            "after": after,
        },
        "sets": [_kept(reference, share, labels, probabilities) for share in promised(reference)],
        "unlike": {
            "expected": unlike.EXPECTED,
            "layer": reference.layer,
            "images": int((distances > reference.unlike.threshold).sum()),
            "of": len(labels),
            "most": [
                {
                    "position": int(i),
                    "times": float(f"{distances[i] / reference.unlike.threshold:.3g}"),
                }
                for i in np.argsort(-distances, kind="stable")[:SHOWN]
            ],
        },
    }


def promised(reference: Reference) -> list[float]:
    """The shares that so many validation images can promise."""
    found = []
    for share in PROMISES:
        try:
            coverage.threshold(reference.scores, share)
            found.append(share)
        except PipelineError:
            continue
    return found


def summary(found: dict[str, Any]) -> dict[str, Any]:
    """What reports/metrics.json has of it."""
    own = "after" if found["calibration"]["applied"] else "before"
    keys: dict[str, Any] = {"calibration_error": found["calibration"][own]["error"]}
    for kept in found.get("sets", []):
        if kept["promised"] == PROMISE:
            keys["sets"] = {name: kept[name] for name in ("promised", "coverage", "size")}
    if "unlike" in found:
        keys["unlike_training"] = found["unlike"]["images"] / found["unlike"]["of"]
    return keys


def _kept(
    reference: Reference, share: float, labels: np.ndarray, probabilities: np.ndarray
) -> dict[str, Any]:
    """How one promise was kept on the test images."""
    inside = coverage.sets(probabilities, coverage.threshold(reference.scores, share))
    sizes = inside.sum(axis=1)
    right = int(inside[np.arange(len(labels)), labels].sum())
    return {
        "promised": share,
        "right": right,
        "coverage": right / len(labels),
        "size": float(sizes.mean()),
        "single": float((sizes == 1).mean()),
        "largest": int(sizes.max()),
    }
