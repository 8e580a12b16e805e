"""Batches: each image once an epoch, another order each epoch, the same one each time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import backend
from pipeline.parameters.schema import AUGMENTATIONS
from pipeline.training import augmentation
from pipeline.training.batches import Batches, balanced_weights
from pipeline.training.share import Part, Share


def data(count: int, classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    images = np.arange(count, dtype="uint8").reshape(count, 1, 1, 1)
    return images, np.eye(classes, dtype="float32")[np.arange(count) % classes]


def epoch_of(batches: Batches, epoch: int) -> np.ndarray:
    batches.epoch = epoch
    return np.concatenate([batches[i][0].ravel() for i in range(len(batches))])


@given(count=st.integers(1, 200), size=st.integers(1, 64), seed=st.integers(0, 2**32 - 1))
def test_every_image_comes_once_an_epoch(count, size, seed):
    batches = Batches(*data(count), size, seed=seed, shuffle=True)
    assert len(batches) == -(-count // size)
    assert sorted(epoch_of(batches, 0)) == list(range(count))


def test_the_order_follows_from_seed_and_epoch():
    first, second = (Batches(*data(100), 8, seed=1, shuffle=True) for _ in range(2))
    other = Batches(*data(100), 8, seed=2, shuffle=True)
    np.testing.assert_array_equal(epoch_of(first, 0), epoch_of(second, 0))
    assert (epoch_of(first, 0) != epoch_of(first, 1)).any()
    np.testing.assert_array_equal(epoch_of(first, 1), epoch_of(second, 1))
    assert (epoch_of(first, 0) != epoch_of(other, 0)).any()


@pytest.mark.parametrize("weights", [None, np.array([1, 2, 3], dtype="float32")])
def test_what_fit_reads_are_the_batches_of_the_epoch(weights):
    batches = Batches(*data(10), 4, seed=1, shuffle=True, class_weights=weights)
    fed = backend.feed(batches)
    assert len(fed) == len(batches)
    for epoch in (0, 1):
        batches.epoch = epoch
        for found, batch in zip(fed, (batches[i] for i in range(3)), strict=True):
            for tensor, array in zip(found, batch, strict=True):
                assert tensor.dtype.as_numpy_dtype == array.dtype
                np.testing.assert_array_equal(tensor, array)


def test_what_fit_reads_is_not_autotuned():
    """The end of an autotuned epoch waits for its thread, now and then for as long again."""
    assert backend.feed(Batches(*data(10), 4)).options().autotune.enabled is False


def test_without_shuffling_the_order_is_the_arrays():
    np.testing.assert_array_equal(epoch_of(Batches(*data(10), 4), 3), np.arange(10))


def test_labels_stay_with_their_images():
    images, targets = Batches(*data(100), 100, seed=1, shuffle=True)[0]
    np.testing.assert_array_equal(targets.argmax(axis=1), images.ravel() % 3)


def test_two_classes_have_the_column_of_class_1():
    _, targets = Batches(*data(4, classes=2), 4)[0]
    np.testing.assert_array_equal(targets, [[0], [1], [0], [1]])


@pytest.mark.parametrize(
    "options",
    [
        *({"augmentation": word} for word in (*AUGMENTATIONS, "translate+random_erasing")),
        {"mixup": 0.4},
        {"cutmix": 1.0},
        {"augmentation": "random_resized_crop", "mixup": 0.4, "cutmix": 1.0},
    ],
    ids=str,
)
def test_what_is_drawn_follows_from_seed_epoch_and_batch(options):
    """The same image twice, so that batch 0 and 1 differ by what is drawn alone."""
    images = np.random.default_rng(0).integers(0, 256, (6, 12, 8, 3), dtype="uint8")
    images, labels = np.tile(images, (2, 1, 1, 1)), np.tile(np.eye(6, dtype="float32"), (2, 1))

    def drawn(seed: int = 1, epoch: int = 0, batch: int = 0) -> list[np.ndarray]:
        batches = Batches(images, labels, 6, seed=seed, mirror=True, **options)
        batches.epoch = epoch
        return list(batches[batch])

    first = drawn()
    assert first[0].dtype == np.uint8
    for one, again in zip(first, drawn(), strict=True):
        np.testing.assert_array_equal(one, again)
    for other in (drawn(seed=2), drawn(epoch=1), drawn(batch=1)):
        assert (first[0] != other[0]).any()
    assert (first[0] != images[:6]).any()


def test_words_are_done_in_their_order_by_one_generator():
    images = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3), dtype="uint8")
    words = "random_resized_crop+random_erasing"
    batches = Batches(images, np.eye(4, dtype="float32"), 4, seed=5, augmentation=words)
    generator = np.random.default_rng([5, 0, 0])
    cropped = augmentation.random_resized_crop(images, generator, False)
    expected = augmentation.random_erasing(cropped, generator)
    np.testing.assert_array_equal(batches[0][0], expected)


def test_translation_mirrors_each_image_every_other_epoch():
    half = np.zeros((40, 8, 8, 1), "uint8")
    half[:, :, :4] = 255
    labels = np.eye(40, dtype="float32")

    def mirrored(epoch: int, mirror: bool) -> np.ndarray:
        batches = Batches(
            half, labels, 16, seed=3, shuffle=True, augmentation="translate", mirror=mirror
        )
        batches.epoch = epoch
        found = np.zeros(40, bool)
        for i in range(len(batches)):
            images, targets = batches[i]
            found[targets.argmax(axis=1)] = images[:, :, 0].mean(axis=(1, 2)) < 128
        return found

    first, second, third = (mirrored(epoch, True) for epoch in range(3))
    assert 8 < first.sum() < 32
    np.testing.assert_array_equal(second, ~first)
    np.testing.assert_array_equal(third, first)
    assert not mirrored(0, False).any()
    assert not mirrored(1, False).any()


def test_class_weights_weigh_by_the_image_class():
    labels = np.eye(3, dtype="float32")[[0, 0, 0, 1]]
    weights = balanced_weights(labels)
    np.testing.assert_allclose(weights, [4 / 6, 2, 0], rtol=1e-6)
    _, _, of_images = Batches(np.zeros((4, 1, 1, 1), "uint8"), labels, 4, class_weights=weights)[0]
    assert of_images.mean() == pytest.approx(1)


@given(
    count=st.integers(3, 60), replicas=st.sampled_from([2, 3]), augmentation=st.sampled_from(["none", "translate", "translate+random_erasing"]),
    mixup=st.sampled_from([0.0, 0.5]), epoch=st.integers(0, 3),
)  # fmt: skip
def test_the_processes_batches_are_together_those_of_one(
    count, replicas, augmentation, mixup, epoch
):
    """In their order, with what is drawn at random, weights too."""
    generator = np.random.default_rng(count)
    images = generator.integers(0, 256, (count, 4, 4, 1), dtype="uint8")
    labels = np.eye(3, dtype="float32")[np.arange(count) % 3]
    options = {
        "seed": 1,
        "shuffle": True,
        "augmentation": augmentation,
        "mirror": True,
        "mixup": mixup,
    }
    options |= {"class_weights": np.array([1, 2, 3], "float32")}

    def of(share):
        batches = Batches(images, labels, 12, share=share, **options)
        batches.epoch = epoch
        return [batches[i] for i in range(len(batches))]

    together = of(Share(replicas))
    apart = [of(Share(replicas, replicas, rank)) for rank in range(replicas)]
    assert len({len(part) for part in apart} | {len(together)}) == 1
    for number, batch in enumerate(together):
        assert len(batch[0]) % replicas == 0
        if not count % replicas:  # no image is left out: what one replica has
            for whole, alone in zip(batch, of(Share())[number], strict=True):
                np.testing.assert_array_equal(whole, alone)
        for kind, whole in enumerate(batch):
            parts = [part[number][kind] for part in apart]
            assert {len(part) for part in parts} == {len(whole) // replicas}
            np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_what_cannot_be_divided_is_left_out_and_is_other_images_every_epoch():
    batches = Batches(*data(100), 8, seed=1, shuffle=True, share=Share(8))
    whole = Batches(*data(100), 8, seed=1, shuffle=True)
    left_out = []
    for epoch in range(5):
        kept = epoch_of(batches, epoch)
        np.testing.assert_array_equal(kept, epoch_of(whole, epoch)[:96])
        left_out.append(set(range(100)) - set(kept.tolist()))
    assert [len(each) for each in left_out] == [4] * 5
    assert len(set.union(*left_out)) > 12


@given(count=st.integers(1, 40), replicas=st.integers(2, 5))
def test_validation_is_filled_up_and_its_mean_is_that_of_all_images(count, replicas):
    images, labels = data(count)
    values = np.random.default_rng(0).random(count)
    for ranks in (1, replicas):
        total, weighed, seen = 0.0, 0, []
        for rank in range(ranks):
            batches = Batches(images, labels, 6, share=Share(replicas, ranks, rank))
            for inputs, _, weights in (batches[i] for i in range(len(batches))):
                rows = inputs.ravel()
                assert len(rows) * ranks % replicas == 0
                total += float((values[rows] * weights).sum())
                weighed += len(rows)  # as Keras has it: every row counts in the mean
                seen += rows[weights > 0].tolist()
        assert sorted(seen) == list(range(count))
        assert total / weighed == pytest.approx(values.mean(), rel=1e-6)


@pytest.mark.parametrize("name", ["affine", "random_resized_crop"])
def test_a_part_is_moved_as_the_whole_batch_moves_it(name):
    images = np.random.default_rng(0).integers(0, 256, (12, 9, 9, 3), dtype="uint8")
    whole = getattr(augmentation, name)(images, np.random.default_rng(5), True)
    for part in Share(3).parts(12):
        own = getattr(augmentation, name)(
            images[part], Part(np.random.default_rng(5), 12, part), True
        )
        np.testing.assert_array_equal(own, whole[part])
