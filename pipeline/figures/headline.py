"""The few numbers on top of the report, and what they mean in plain words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

from pipeline.figures.confusion import Confusion
from pipeline.figures.curves import History
from pipeline.figures.results import Results


@dataclass(frozen=True)
class Baseline:
    """Always answering the class with the most training images: right for `right` of `images`."""

    name: str
    right: int
    images: int

    @property
    def accuracy(self) -> float:
        return self.right / self.images if self.images else 0.0


def majority_baseline(counts: Mapping[str, Sequence[int]], classes: Sequence[str]) -> Baseline:
    """The baseline, from the images of each class in the parts `train` and `test`."""
    most = max(range(len(classes)), key=lambda number: counts["train"][number])
    return Baseline(classes[most], counts["test"][most], sum(counts["test"]))


def wilson_interval(right: int, images: int, z: float = 1.96) -> tuple[float, float]:
    """The 95% interval of a share: where the true one lies if the test images are a fair draw.

    Wilson's, which stays within 0…1 (E. B. Wilson, JASA 22, 1927). By hand: the import of
    scipy.stats takes half a second, and all that the report stage imports takes one.
    """
    if not images:
        return 0.0, 1.0
    share = right / images
    centre = share + z * z / (2 * images)
    half = z * sqrt(share * (1 - share) / images + z * z / (4 * images * images))
    scale = 1 + z * z / images
    return max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale)


def last_epoch(history: History) -> tuple[float, float] | None:
    """The last epoch's accuracy in training and validation; None without validation."""
    if history.validation is None or not history.epochs:
        return None
    return float(history.train["accuracy"][-1]), float(history.validation["accuracy"][-1])


def sentences(results: Results, confused: Sequence[Confusion]) -> list[str]:
    """What the numbers say, a sentence each, most important first."""
    images, right = results.metrics["images"], results.hits
    low, high = wilson_interval(right, images)
    baseline = majority_baseline(results.dataset["counts"], results.classes)
    leaking = results.audit is not None and results.audit["leakage"]["groups"] > 0
    leaking = leaking or bool(results.trusted.twins["tested"])
    unseen = "" if leaking else "; it saw none of them in training"
    said = [
        f"The network names {right:,} of {images:,} test images rightly ({right / images:.1%})"
        f"{unseen}. With other test images of the same kind, expect between {low:.1%} and "
        f"{high:.1%}.",
        f"Always answering “{baseline.name}”, the class with the most training images, would "
        f"be right for {baseline.right:,} ({baseline.accuracy:.1%}).",
    ]
    tested = [score for score in results.scores if score.support]
    if tested and right < images:
        hardest = min(tested, key=lambda score: (score.recall, score.number))
        found = round(hardest.recall * hardest.support)
        said.append(
            f"The class it misses most is “{hardest.name}”: "
            f"{found:,} of {hardest.support:,} found ({hardest.recall:.1%})."
        )
    if confused:
        top = confused[0]
        times = "once" if top.count == 1 else f"{top.count:,} times"
        said.append(
            f"Its most frequent mistake is to take “{top.label}” for “{top.prediction}” ({times})."
        )
    sure = float(np.nanmean(results.predictions.confidence))
    said.append(
        f"It says that it is {sure:.1%} sure on average, and is right {right / images:.1%} of "
        "the time."
    )
    ends = last_epoch(results.history)
    if ends is not None:
        said.append(_gap_sentence(*ends))
    return said


def warnings(results: Results) -> list[str]:
    """What a reader must know before believing the numbers."""
    found = []
    baseline = majority_baseline(results.dataset["counts"], results.classes)
    if results.hits <= baseline.right:
        found.append(
            f"The network is no better than always answering “{baseline.name}”: it has learnt "
            "nothing of use yet."
        )
    losses = results.history.train["loss"]
    if len(losses) and not np.isfinite(losses[-1]):
        found.append(
            "The training loss is no number any more: training diverged. Try a smaller "
            "learning_rate."
        )
    skipped = results.dataset.get("skipped") or []
    if skipped:
        shown = ", ".join(skipped[:5]) + (" …" if len(skipped) > 5 else "")
        images = "image" if len(skipped) == 1 else "images"
        found.append(f"{len(skipped):,} {images} could not be read and were left out: {shown}.")
    return found


def _gap_sentence(train: float, validation: float) -> str:
    points = 100 * (train - validation)
    ends = f"Training ended at {train:.1%} on its own images and {validation:.1%} on validation"
    if points > 5:
        return f"{ends}: a gap of {points:.1f} points, so it has learnt some of them by heart."
    if points < -0.5:
        return (
            f"{ends}: better on images that it did not train on, as happens with much dropout "
            "or augmentation, which make training harder than the test."
        )
    return f"{ends}: a gap of {points:.1f} points."
