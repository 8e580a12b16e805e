"""Groups that fail: exact p values, Holm's correction, and no alarm where there is nothing."""

import numpy as np
import pytest
from scipy import stats

from pipeline.evaluation import groups

CLASSES = ["a", "b", "c"]


@pytest.mark.parametrize("seed", range(5))
def test_fisher_as_scipy_has_it(seed):
    generator = np.random.default_rng(seed)
    inside, right = generator.random(90) < 0.3, generator.random(90) < 0.8
    table = [
        [(inside & right).sum(), (inside & ~right).sum()],
        [(~inside & right).sum(), (~inside & ~right).sum()],
    ]
    assert groups.fisher(inside, right) == pytest.approx(stats.fisher_exact(table).pvalue, rel=1e-6)


def test_holm_by_hand():
    assert groups.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert groups.holm([]) == []
    assert groups.holm([0.9, 0.8]) == [1.0, 1.0]


def test_within_the_classes_a_dark_group_of_a_hard_class_is_none():
    generator = np.random.default_rng(0)
    labels = np.repeat([0, 1], 2000)
    right = generator.random(4000) < np.where(labels == 0, 0.95, 0.6)
    dark = generator.random(4000) < np.where(labels == 0, 0.1, 0.7)  # more of the hard class
    expected, p = groups.mantel_haenszel(dark, right, labels)
    assert p > 0.01
    assert abs(right[dark].sum() - expected) < 60
    assert groups.fisher(dark, right) < 1e-6  # what a comparison across the classes would say
    harmed = right & ~(dark & (generator.random(4000) < 0.2))
    assert groups.mantel_haenszel(dark, harmed, labels)[1] < 1e-4


def test_chance_alone_raises_few_alarms():
    alarms = 0
    for seed in range(60):
        generator = np.random.default_rng(seed)
        labels = generator.integers(0, 3, 300)
        right = generator.random(300) < 0.85
        measures = {"brightness": generator.random(300), "sharpness": generator.random(300)}
        found, tried = groups.find(labels, right, CLASSES, [""] * 300, measures)
        assert tried == 11
        alarms += bool(found)
    assert alarms <= 7  # of 60 at 5%: more than 7 has a chance of 1 in 100


def test_a_class_a_folder_and_a_quarter_that_fail_are_found():
    generator = np.random.default_rng(0)
    labels = np.arange(1200) % 3
    names = [
        f"{CLASSES[label]}/{'night' if i % 2 else 'day'}/{i}.jpg" for i, label in enumerate(labels)
    ]
    bright = generator.random(1200)
    right = generator.random(1200) < 0.95
    right &= ~((labels == 1) & (generator.random(1200) < 0.4))
    right &= ~((bright < 0.25) & (generator.random(1200) < 0.4))
    found, _ = groups.find(labels, right, CLASSES, names, {"brightness": bright})
    worse = {
        (group.kind, group.name.split(" (")[0]) for group in found if group.right < group.expected
    }
    assert worse == {("class", "b"), ("brightness", "quarter 1 of 4")}
    worst = found[0]
    assert worst.accuracy == pytest.approx(right[worst.rows].mean())


def test_folders_that_are_the_classes_are_not_tried_twice():
    labels = np.arange(90) % 3
    names = [f"{CLASSES[label]}/{i}.jpg" for i, label in enumerate(labels)]
    _, tried = groups.find(labels, np.ones(90, bool), CLASSES, names, {})
    assert tried == 3


def test_what_is_measured_of_an_image():
    images = np.zeros((3, 8, 8, 3), "uint8")
    images[1] = 200
    images[2, :, ::2] = 100
    found = groups.measured(images)
    assert found["brightness"].tolist() == [0, 200, 50]
    assert found["sharpness"].tolist() == [0, 0, 50]
