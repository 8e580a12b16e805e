"""Batches for `model.fit`, whose order and augmentation depend on the seed and the epoch alone."""

from typing import Any

import keras
import numpy as np

from pipeline.training import augmentation, shuffling
from pipeline.training.mixing import mix
from pipeline.training.share import ALONE, Part, Share


class Batches(keras.utils.PyDataset):
    """A part of the data as batches of (inputs, targets) or (inputs, targets, weights).

    A training epoch's order is a function of (seed, epoch) and a batch's
    augmentation of (seed, epoch, batch), so a resumed epoch sees what a first
    one would have seen, without any random state to save. It is read on a thread
    of its own, ahead of the training step (`pipeline.backend.feed`). `epoch` is set by
    `pipeline.training.fitting` before an epoch begins.

    Args:
        inputs: uint8 (n, height, width, channels), or float32 maps; may be a
            memory map.
        labels: one-hot float32 (n, classes). For two classes the targets are
            (n, 1): the column of class 1.
        shuffle: a new order every epoch (`pipeline.training.shuffling`); else the order of
            the arrays.
        augmentation: none, or functions of `pipeline.training.augmentation` joined by +,
            of uint8 images. With `mirror` half of them are mirrored at random;
            translate mirrors half of them in the first epoch and the
            others in the next, and so on (alternating flip, arXiv 2404.00498).
        mixup: and `cutmix`: see `pipeline.training.mixing`; 0 for none.
        class_weights: float32 (classes,), or None for all alike.
        share: which rows of every batch are given out, with what is drawn at random for them
            in the whole batch. Of an epoch in a new order as many images are left out as
            cannot be divided, others every epoch; else the last batch is filled up with
            images of weight 0, and the others' weights make up for them in the mean.
    """

    def __init__(
        self,
        inputs: "np.ndarray | Kept",
        labels: np.ndarray,
        batch_size: int,
        *,
        seed: int = 0,
        shuffle: bool = False,
        augmentation: str = "none",
        mirror: bool = False,
        mixup: float = 0.0,
        cutmix: float = 0.0,
        class_weights: np.ndarray | None = None,
        share: Share = ALONE,
    ) -> None:
        super().__init__()
        self.share = share
        self.epoch = 0
        self._inputs = inputs
        self._labels = labels
        self._batch_size = share.padded(batch_size)
        self._used = share.whole(len(labels)) if shuffle else share.padded(len(labels))
        self.seed = seed
        self._shuffle = shuffle
        self._augmentation = augmentation
        self._mirror = mirror
        self._mixup = mixup
        self._cutmix = cutmix
        self._class_weights = class_weights
        self._order: tuple[int, np.ndarray] = (-1, np.empty(0, int))
        self._ahead = shuffling.Ahead(inputs)

    def __len__(self) -> int:
        return -(-self._used // self._batch_size)

    def __getitem__(self, batch: int) -> tuple[Any, ...]:
        start = batch * self._batch_size
        count = min(self._batch_size, self._used - start)
        rows: slice | np.ndarray = slice(start, start + count)
        if self._shuffle:
            rows = self._epoch_order()[rows]
            self._ahead.look(*self._order, start)
        elif self.share.replicas > 1:
            return self._filled_up(np.arange(start, start + count)[self.share.own(count)])
        generator = np.random.default_rng([self.seed, self.epoch, batch])
        if isinstance(rows, slice) or self.share.replicas == 1:
            inputs, labels = self._drawn(rows, generator)
        else:
            inputs, labels = self._own(rows, generator)
        if self._class_weights is None:
            return inputs, _targets(labels)
        # A product of matrices would round a row another way beside more rows.
        return inputs, _targets(labels), (labels * self._class_weights).sum(axis=1)

    def _own(
        self, rows: np.ndarray, generator: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """This process' part of a batch, drawn a device after the other wherever that is done."""
        if self._mixup or self._cutmix or "random_erasing" in self._augmentation:
            own = self.share.own(len(rows))  # what becomes of an image needs the whole batch
            inputs, labels = self._drawn(rows, generator)
            return inputs[own], labels[own]
        state = generator.bit_generator.state
        found = []
        for part in self.share.parts(len(rows)):
            generator.bit_generator.state = state
            found.append(self._drawn(rows[part], Part(generator, len(rows), part)))
        return np.concatenate([i for i, _ in found]), np.concatenate([n for _, n in found])

    def _drawn(self, rows: slice | np.ndarray, generator: Any) -> tuple[np.ndarray, np.ndarray]:
        inputs, labels = np.asarray(self._inputs[rows]), np.asarray(self._labels[rows])
        for word in self._augmentation.split("+"):
            inputs = self._augmented(word, inputs, rows, generator)
        return mix(inputs, labels, self._mixup, self._cutmix, generator)

    def _filled_up(self, rows: np.ndarray) -> tuple[Any, ...]:
        """Some rows in the arrays' order, those behind the last one as images of weight 0."""
        count = len(self._labels)
        there = np.minimum(rows, count - 1)
        # The mean is over all rows of all batches, so the real ones weigh as much more.
        weights = np.where(rows < count, self._used / count, 0).astype("float32")
        return np.asarray(self._inputs[there]), _targets(np.asarray(self._labels[there])), weights

    def _augmented(
        self,
        word: str,
        images: np.ndarray,
        rows: slice | np.ndarray,
        generator: np.random.Generator,
    ) -> np.ndarray:
        if word == "none":
            return images
        if word == "affine":
            return augmentation.affine(images, generator, self._mirror)
        if word == "random_resized_crop":
            return augmentation.random_resized_crop(images, generator, self._mirror)
        if word == "random_erasing":
            return augmentation.random_erasing(images, generator)
        mirrored = np.zeros(len(images), bool)
        if self._mirror:
            first = np.random.default_rng([self.seed, 0, 0]).random(len(self._labels)) < 0.5
            mirrored = first[rows] ^ bool(self.epoch % 2)
        return augmentation.translate(images, generator, mirrored)

    def _epoch_order(self) -> np.ndarray:
        epoch, order = self._order
        if epoch != self.epoch:
            epoch = self.epoch
            order = shuffling.order(self.seed, epoch, self._inputs)
            self._order = (epoch, order)
        return order


def _targets(labels: np.ndarray) -> np.ndarray:
    """One-hot labels; for two classes the column of class 1."""
    return labels[:, 1:] if labels.shape[1] == 2 else labels


class Kept:
    """The rows of an array without some of them, read when they are used."""

    def __init__(self, array: np.ndarray, left_out: list[int]) -> None:
        self._array = array
        self._rows = np.delete(np.arange(len(array)), left_out)

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self._rows), *self._array.shape[1:])

    @property
    def nbytes(self) -> int:
        return len(self) * (self._array.nbytes // len(self._array))

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        return self._array[self._rows[rows]]


def balanced_weights(labels: np.ndarray) -> np.ndarray:
    """A weight for each class, inverse to its frequency; the mean over the images is 1.

    Args:
        labels: one-hot float32 (n, classes).

    Returns:
        float32 (classes,); 0 for a class without an image.
    """
    counts = labels.sum(axis=0, dtype="float64")
    present = counts > 0
    weights = np.zeros(len(counts))
    weights[present] = counts.sum() / (present.sum() * counts[present])
    return weights.astype("float32")
