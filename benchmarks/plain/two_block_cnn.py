"""two_block_cnn in plain Keras: load the arrays, fit, predict the test images, print the scores.

What `make bench` measures the pipeline against: nothing is hashed, resumed,
recorded or drawn. Reads data/prepared/{train,validation,test}_{images,labels}.npy
of more than two classes into memory; writes nothing.
"""

import argparse
import os
from pathlib import Path

import numpy as np

PREPARED = Path("data/prepared")


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
        {part: np.load(PREPARED / f"{part}_{kind}.npy") for part in ("train", "validation", "test")}
        for kind in ("images", "labels")
    )
    first, second = arguments.dropout
    model = keras.Sequential(
        [
            keras.Input(images["train"].shape[1:], dtype="uint8"),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(64, 3, padding="same", activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.Dropout(first),
            keras.layers.Conv2D(128, 3, padding="same", activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.Dropout(second),
            keras.layers.Flatten(),
            keras.layers.Dense(256, activation="relu"),
            keras.layers.Dense(128, activation="relu"),
            keras.layers.Dense(labels["train"].shape[1], activation="softmax", dtype="float32"),
        ]
    )
    model.compile(
        optimizer=keras.optimizers.Adam(arguments.learning_rate),
        loss="categorical_crossentropy",
        metrics=["accuracy"],
    )
    model.fit(
        images["train"],
        labels["train"],
        batch_size=arguments.batch_size,
        epochs=arguments.epochs,
        validation_data=(images["validation"], labels["validation"])
        if len(labels["validation"])
        else None,
        verbose=2,
    )
    probabilities = model.predict(images["test"], verbose=0)
    for name, value in scores(labels["test"], probabilities).items():
        print(f"{name:<10} {value:.6f}")


def scores(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """Accuracy, mean cross entropy, and precision, recall and F1 averaged over the classes."""
    true, predicted = labels.argmax(axis=1), probabilities.argmax(axis=1)
    confusion = np.zeros((labels.shape[1], labels.shape[1]))
    np.add.at(confusion, (true, predicted), 1)
    hits, taken, there = confusion.diagonal(), confusion.sum(axis=0), confusion.sum(axis=1)
    of_true = probabilities[np.arange(len(true)), true].astype("float64")
    return {
        "accuracy": float(np.mean(true == predicted)),
        "loss": float(-np.log(of_true.clip(1e-7)).mean()),
        "precision": float((hits / taken.clip(1)).mean()),
        "recall": float((hits / there.clip(1)).mean()),
        "f1": float((2 * hits / (taken + there).clip(1)).mean()),
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="two_block_cnn", description=__doc__)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--batch-size", type=int, required=True)
    parser.add_argument("--dropout", type=float, nargs=2, required=True)
    parser.add_argument("--learning-rate", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--dtype", required=True)
    parser.add_argument("--threads", type=int, required=True)
    return parser


if __name__ == "__main__":
    main()
