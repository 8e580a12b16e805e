"""VGG16's base from keras.applications: load the arrays, predict all images, keep the maps.

What `make bench` measures the stage `features` against. Reads
data/prepared/{train,validation,test}_images.npy into memory and
data/weights/weights.npz; writes nothing.
"""

import argparse
import os
from pathlib import Path

import numpy as np

PREPARED = Path("data/prepared")
WEIGHTS = Path("data/weights/weights.npz")


def main() -> None:
    arguments = _parser().parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["TF_NUM_INTRAOP_THREADS"] = os.environ["TF_NUM_INTEROP_THREADS"] = str(
        arguments.threads
    )
    import keras

    keras.config.set_dtype_policy(arguments.dtype)
    images = {
        part: np.load(PREPARED / f"{part}_images.npy") for part in ("train", "validation", "test")
    }
    base = keras.applications.VGG16(
        include_top=False, weights=None, input_shape=images["train"].shape[1:]
    )
    with np.load(WEIGHTS) as arrays:
        for layer in base.layers:
            if layer.weights:
                layer.set_weights([arrays[f"{layer.name}_kernel"], arrays[f"{layer.name}_bias"]])
    for part, pixels in images.items():
        inputs = keras.applications.vgg16.preprocess_input(pixels.astype("float32"))
        maps = base.predict(inputs, batch_size=arguments.batch_size, verbose=0).astype("float32")
        print(f"{part:<10} {maps.shape} {np.abs(maps).mean(dtype='float64'):.6f}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="vgg16_predict", description=__doc__)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--dtype", required=True)
    parser.add_argument("--threads", type=int, required=True)
    return parser


if __name__ == "__main__":
    main()
