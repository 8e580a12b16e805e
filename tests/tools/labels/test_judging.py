"""Head, noise and doubts on Gaussians whose labels were changed by a known seed."""

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from tools.labels import doubts, head, noise

CLASSES, WIDTH = 4, 12


def made(
    images: int, share: float, apart: float = 2.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features, true labels, and labels of which `share` were changed."""
    random = np.random.default_rng(3)
    true = np.arange(images) % CLASSES
    means = apart * random.normal(size=(CLASSES, WIDTH))
    features = (means[true] + random.normal(size=(images, WIDTH))).astype("float32")
    labels = true.copy()
    rows = random.permutation(images)[: round(share * images)]
    labels[rows] = (labels[rows] + random.integers(1, CLASSES, len(rows))) % CLASSES
    return features, true, labels


def judged(features: np.ndarray, labels: np.ndarray) -> noise.Judgement:
    fold = np.arange(len(labels)) // CLASSES % 5
    return noise.fit(head.logits(features, labels, fold, CLASSES), labels)


def test_changed_labels_are_found_and_their_share_estimated() -> None:
    features, true, labels = made(1200, 0.1)
    found = judged(features, labels)
    assert found.noise == pytest.approx(0.1, abs=0.02)
    listed = doubts.find(labels, found)
    changed = labels != true
    assert changed[listed.rows].mean() > 0.95
    assert changed[listed.rows].sum() > 0.95 * changed.sum()
    assert (listed.suggested == true[listed.rows]).mean() > 0.95
    assert (np.diff(listed.score) <= 1e-12).all()
    assert sorted(listed.order.tolist()) == list(range(1200))
    pairs = doubts.confused(labels, found.probabilities)
    assert sum(pair.images for pair in pairs) == pytest.approx(changed.sum(), rel=0.3)


def test_right_labels_are_left_alone() -> None:
    features, _, labels = made(1200, 0)
    found = judged(features, labels)
    assert found.noise < 0.005
    assert len(doubts.find(labels, found).rows) <= 2


def test_no_image_has_a_say_in_its_own_judgement() -> None:
    """Another label of one image changes the logits of other folds alone."""
    features, _, labels = made(200, 0)
    fold = np.arange(200) // CLASSES % 5
    other = labels.copy()
    other[0] = (other[0] + 1) % CLASSES
    before, after = (head.logits(features, each, fold, CLASSES) for each in (labels, other))
    same = np.isclose(before, after).all(axis=1)
    assert same[fold == fold[0]].all()
    assert not same[fold != fold[0]].any()


def test_the_head_is_linear_discriminant_analysis(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(head, "SHRINKAGES", (0.0,))
    features, _, labels = made(400, 0.02, 0.5)
    fold = np.arange(400) // CLASSES % 5
    logits = head.logits(features, labels, fold, CLASSES)
    rooted = np.sign(features) * np.sqrt(np.abs(features))
    theirs = LinearDiscriminantAnalysis(solver="lsqr").fit(rooted[fold != 2], labels[fold != 2])
    ours = np.exp(logits[fold == 2] - np.logaddexp.reduce(logits[fold == 2], axis=1)[:, None])
    assert np.allclose(ours, theirs.predict_proba(rooted[fold == 2]), atol=0.01)


def test_neighbours_are_of_the_class_and_not_in_doubt() -> None:
    features = np.array([[1, 0], [0.9, 0.1], [0.8, 0.1], [0, 1], [0.1, 1]], "float32")
    labels = np.array([0, 0, 0, 1, 1])
    rows = np.array([0, 3])
    found = doubts.nearest(features, labels, rows, np.array([0, 0]))
    assert [each.tolist() for each in found] == [[1, 2], [2, 1]]
    found = doubts.nearest(features, labels, rows, np.array([1, 1]))
    assert [each.tolist() for each in found] == [[4], [4]]
