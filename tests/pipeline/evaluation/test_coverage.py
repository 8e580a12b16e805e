"""Sets with a promise: it is kept on data that nobody fitted, and what cannot be promised is said."""

import numpy as np
import pytest

from pipeline.errors import PipelineError
from pipeline.evaluation import coverage


def drawn(images: int, seed: int, classes: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of an overconfident model, and labels."""
    generator = np.random.default_rng(seed)
    scores = generator.normal(0, 1, (images, classes))
    labels = (scores + generator.gumbel(size=scores.shape)).argmax(axis=1)
    powers = np.exp(3 * scores)
    return (powers / powers.sum(axis=1, keepdims=True)).astype("float32"), labels


@pytest.mark.parametrize("share", [0.8, 0.9, 0.95])
def test_the_promise_is_kept_on_other_images(share):
    found, sizes = [], []
    for seed in range(40):
        limit = coverage.threshold(coverage.nonconformity(*drawn(500, seed)), share)
        probabilities, labels = drawn(500, seed + 1000)
        inside = coverage.sets(probabilities, limit)
        found.append(inside[np.arange(500), labels].mean())
        sizes.append(inside.sum(axis=1).mean())
    # The mean of 40 shares of 500: its standard error is below 0.004.
    assert abs(np.mean(found) - share) < 0.012
    assert 1 < np.mean(sizes) < 6


def test_a_wrong_quantile_would_be_seen():
    """Without the one in n + 1, ten validation images promise 90% and keep less."""
    kept = {True: [], False: []}
    for seed in range(300):
        scores = coverage.nonconformity(*drawn(9, seed))
        probabilities, labels = drawn(200, seed + 10_000)
        for right, limit in ((True, coverage.threshold(scores, 0.9)), (False, float(scores[7]))):
            inside = coverage.sets(probabilities, limit)
            kept[right].append(inside[np.arange(200), labels].mean())
    assert np.mean(kept[True]) > 0.885
    assert np.mean(kept[False]) < 0.86


def test_a_set_is_never_empty_and_has_the_most_probable_first():
    probabilities = np.array([[0.4, 0.35, 0.25], [0.9, 0.1, 0.0]], "float32")
    assert coverage.sets(probabilities, 0.0).tolist() == [[True, False, False]] * 2
    assert coverage.sets(probabilities, 0.65).sum(axis=1).tolist() == [2, 1]


@pytest.mark.parametrize("share", [0.0, 1.0, 1.5, -1.0, float("nan")])
def test_a_share_that_cannot_be_promised(share):
    with pytest.raises(PipelineError, match=r"^--coverage: .*expected a share above 0 and below 1"):
        coverage.threshold(np.linspace(0, 1, 100), share)


def test_too_few_images_for_the_promise():
    with pytest.raises(
        PipelineError, match=r"^--coverage: 0.99: 50 validation images .* 0.98 at most"
    ):
        coverage.threshold(np.linspace(0, 1, 50), 0.99)
    assert coverage.threshold(np.arange(19.0), 0.95) == 18
