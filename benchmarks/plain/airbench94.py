"""airbench94 in plain Keras: the published network and recipe, and what they reach here.

Jordan, "94% on CIFAR-10 in 3.29 seconds on a single GPU" (arXiv 2404.00498), with the
settings of its airbench94.py. `make bench` holds fast_cnn against it on the same
images. Two things differ: one of Keras' dtype policies stands in place of float16
weights, and the pixels' mean and deviation are those of the images that are there.
Reads data/prepared/{train,test}_{images,labels}.npy into memory; writes nothing.
"""

import argparse
import math
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

PREPARED = Path("data/prepared")

WIDTHS = (64, 256, 256)
MOMENTUM = 0.85
NESTEROV = 1 + 1 / (1 - MOMENTUM)  # a constant gradient's step, in learning rates
LEARNING_RATE = 11.5 / 1024 / NESTEROV  # of the loss summed over a batch
WEIGHT_DECAY = 0.0153 / 1024 / NESTEROV  # an image
OFFSETS = 64  # times the learning rate, for the offsets of the normalisations
LABEL_SMOOTHING = 0.2
# The share of the learning rate, over the share of all steps.
SCHEDULE = ((0, 0.23, 1), (0.2, 1, 0.07))
WHITENING_EPOCHS = 3  # in which the whitening's bias is learned
WHITENING_IMAGES = 5000
WHITENING_EPSILON = 5e-4
LOOKAHEAD_EPOCHS = 3  # without it
LOOKAHEAD_STEPS = 5
LOOKAHEAD_DECAY = 0.95  # a step, at the end
TRANSLATION = 2  # pixels, either way
TEST_BATCH = 500


def main() -> None:
    arguments = _parser().parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["TF_NUM_INTRAOP_THREADS"] = os.environ["TF_NUM_INTEROP_THREADS"] = str(
        arguments.threads
    )
    import keras

    keras.utils.set_random_seed(arguments.seed)
    keras.config.set_dtype_policy(arguments.dtype)
    images, labels = (
        {part: np.load(PREPARED / f"{part}_{kind}.npy") for part in ("train", "test")}
        for kind in ("images", "labels")
    )
    model = network(images["train"], classes=labels["train"].shape[1])
    train(
        model,
        images["train"],
        labels["train"],
        arguments.epochs,
        arguments.batch_size,
        np.random.default_rng(arguments.seed),
    )
    predicted = mean_of_views(model, images["test"]).argmax(axis=1)
    print(f"{'accuracy':<10} {np.mean(predicted == labels['test'].argmax(axis=1)):.6f}")


def network(images: np.ndarray, classes: int) -> Any:
    """The network, which takes uint8 pixels and gives logits, whitening fitted on `images`."""
    import keras
    from keras import layers

    def convolution(filters: int) -> layers.Layer:
        return layers.Conv2D(
            filters, 3, padding="same", use_bias=False, kernel_initializer=_identity
        )

    def normalization() -> layers.Layer:
        return layers.BatchNormalization(scale=False, momentum=0.6, epsilon=1e-12)

    some = images[:: -(-len(images) // WHITENING_IMAGES)].astype("float32")
    mean, variance = some.mean((0, 1, 2)), some.var((0, 1, 2))
    chain = [
        keras.Input(images.shape[1:], dtype="uint8"),
        layers.Normalization(mean=mean, variance=variance),
        whitening := layers.Conv2D(8 * images.shape[-1], 2, name="whitening"),
        layers.Activation("gelu"),
    ]
    for filters in WIDTHS:
        chain += [
            *(convolution(filters), layers.MaxPooling2D(), normalization()),
            *(layers.Activation("gelu"), convolution(filters), normalization()),
            layers.Activation("gelu"),
        ]
    uniform = keras.initializers.RandomUniform(-(WIDTHS[-1] ** -0.5), WIDTHS[-1] ** -0.5)
    chain += [
        layers.GlobalMaxPooling2D(),
        layers.Dense(classes, use_bias=False, kernel_initializer=uniform),
        layers.Rescaling(1 / 9, dtype="float32"),
    ]
    model = keras.Sequential(chain)
    whitening.kernel.assign(_whitening_kernel((some - mean) / np.sqrt(variance)))
    return model


def train(
    model: Any,
    images: np.ndarray,
    labels: np.ndarray,
    epochs: float,
    batch_size: int,
    generator: np.random.Generator,
) -> None:
    """Train the model; a line an epoch, with the last batch's accuracy and loss."""
    import keras
    import tensorflow as tf

    whitening = model.get_layer("whitening")
    learned = [each for each in model.trainable_variables if each is not whitening.kernel]
    momenta = [tf.Variable(tf.zeros_like(each.value)) for each in learned]
    decay = WEIGHT_DECAY * batch_size / LEARNING_RATE

    @tf.function
    def step(pixels: Any, targets: Any, share: Any, with_whitening: Any) -> tuple[Any, Any]:
        with tf.GradientTape() as tape:
            logits = model(pixels, training=True)
            loss = tf.reduce_sum(
                keras.losses.categorical_crossentropy(
                    targets, logits, from_logits=True, label_smoothing=LABEL_SMOOTHING
                )
            )
        gradients = tape.gradient(loss, [each.value for each in learned])
        for weight, momentum, gradient in zip(learned, momenta, gradients, strict=True):
            faster = OFFSETS if weight.path.endswith("beta") else 1
            rate = share * LEARNING_RATE * faster
            if weight is whitening.bias:
                rate *= with_whitening
            gradient += decay / faster * weight.value
            momentum.assign(MOMENTUM * momentum + gradient)
            weight.value.assign_sub(rate * (gradient + MOMENTUM * momentum))
        correct = tf.argmax(logits, 1) == tf.argmax(targets, 1)
        return tf.reduce_mean(tf.cast(correct, "float32")), loss / batch_size

    fast = [each.value for each in model.variables]
    slow = [tf.Variable(tf.zeros_like(each)) for each in fast]

    @tf.function
    def look_ahead(kept: Any) -> None:
        for far, near in zip(slow, fast, strict=True):
            far.assign(kept * far + (1 - kept) * near)
            near.assign(far)

    in_epoch = len(images) // batch_size
    total = math.ceil(in_epoch * epochs)
    done, started = 0, False
    for epoch, pixels, order in _epochs(images, math.ceil(epochs), generator):
        print(f"Epoch {epoch + 1}/{math.ceil(epochs)}")
        began = time.perf_counter()
        here = min(in_epoch, total - done)
        for chosen in order[: here * batch_size].reshape(here, batch_size):
            share = np.interp(done / total, *SCHEDULE)
            accuracy, loss = step(
                tf.constant(pixels[chosen]),
                tf.constant(labels[chosen]),
                tf.constant(share, "float32"),
                tf.constant(float(epoch < WHITENING_EPOCHS)),
            )
            done += 1
            if epoch >= LOOKAHEAD_EPOCHS and done % LOOKAHEAD_STEPS == 0:
                kept = LOOKAHEAD_DECAY**LOOKAHEAD_STEPS * (done / total) ** 3
                look_ahead(tf.constant(kept if started else 0.0, "float32"))
                started = True
        if started:
            look_ahead(tf.constant(1.0))
        print(
            f"{here}/{in_epoch} - {time.perf_counter() - began:.0f}s - "
            f"accuracy: {accuracy:.4f} - loss: {loss:.4f}"
        )


def mean_of_views(model: Any, images: np.ndarray) -> np.ndarray:
    """Logits (n, classes): half of the images as they are, half of them moved by a pixel
    up and left, and down and right; each with its mirror image."""
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)), "reflect")
    views = ((0.5, images), (0.25, padded[:, :-2, :-2]), (0.25, padded[:, 2:, 2:]))

    def logits(pixels: np.ndarray) -> np.ndarray:
        starts = range(0, len(pixels), TEST_BATCH)
        return np.concatenate([model.predict_on_batch(pixels[i : i + TEST_BATCH]) for i in starts])

    return sum(share / 2 * (logits(view) + logits(view[:, :, ::-1])) for share, view in views)


def _epochs(
    images: np.ndarray, epochs: int, generator: np.random.Generator
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Each epoch's number, images and order: moved at random, mirrored every other epoch."""
    height, width = images.shape[1:3]
    edges = ((0, 0), (TRANSLATION, TRANSLATION), (TRANSLATION, TRANSLATION), (0, 0))
    padded = np.pad(images, edges, "reflect")
    mirrored = generator.random(len(images)) < 0.5
    for epoch in range(epochs):
        moves = generator.integers(0, 2 * TRANSLATION + 1, (len(images), 2))
        moved = np.empty_like(images)
        for i, ((top, left), turned) in enumerate(zip(moves, mirrored, strict=True)):
            window = padded[i, top : top + height, left : left + width]
            moved[i] = window[:, ::-1] if turned else window
        yield epoch, moved, generator.permutation(len(images))
        mirrored = ~mirrored


def _identity(shape: tuple[int, ...], dtype: Any = None) -> Any:
    """The first filters hand their channel on; the others are uniform within 1 / √(fan in)."""
    import keras

    height, width, channels, filters = shape
    limit = (height * width * channels) ** -0.5
    kernel = np.array(keras.random.uniform(shape, -limit, limit))
    same = range(min(channels, filters))
    kernel[..., : len(same)] = 0
    kernel[height // 2, width // 2, same, same] = 1
    return keras.ops.convert_to_tensor(kernel, dtype)


def _whitening_kernel(images: np.ndarray) -> np.ndarray:
    """(2, 2, c, 8c): the eigenvectors of the patches' covariance, of length 1 / √eigenvalue,
    and their negatives."""
    patches = np.lib.stride_tricks.sliding_window_view(images, (2, 2), axis=(1, 2))
    flat = np.moveaxis(patches, 3, -1).reshape(-1, 4 * images.shape[-1]).astype("float64")
    values, vectors = np.linalg.eigh(flat.T @ flat / len(flat))
    filters = (vectors / np.sqrt(values + WHITENING_EPSILON))[:, ::-1]
    return np.concatenate([filters, -filters], axis=1).reshape(2, 2, images.shape[-1], -1)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="airbench94", description=__doc__)
    parser.add_argument("--epochs", type=float, default=9.9)
    parser.add_argument("--batch-size", type=int, default=1024)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--dtype", required=True)
    parser.add_argument("--threads", type=int, required=True)
    return parser


if __name__ == "__main__":
    main()
