"""Run the frozen base of a pretrained model once over every prepared image.

Reads data/params/features.json, data/prepared and data/weights. Writes
data/features/{train,validation,test}_maps.npy, what the head reads, float32
(n, h, w, channels), or (n, channels) where it is their mean, and features.json,
which says what they are. With `fine_tune_from` the test has no maps, for the
head alone does not score it, and there are {train,validation,test}_below.npy,
the maps that the first fine-tuned layer reads, as long as they fit their
budget. Without a frozen base, or with augmentation, features.json says null. A
killed run resumes after its last recorded batch and ends with the same bytes.
"""

from pipeline import tracking
from pipeline.parameters.stages import FeaturesParameters
from pipeline.runtime import files, paths
from pipeline.runtime.stage import run_stage, say

SLOW = (
    "this processor has no native bfloat16 and converts every number to and fro: "
    "mixed_bfloat16 is slower here than float32"
)


def main() -> None:
    parameters = FeaturesParameters.read()
    if parameters.model is None:
        out = files.fresh_folder(paths.FEATURES)
        files.write_json(out / "features.json", {"model": None})
        return
    # Seconds of imports that a model without a frozen base does not need.
    from pipeline import backend
    from pipeline.datasets.work import building

    if parameters.dtype == "mixed_bfloat16" and not backend.native_bfloat16():
        say("features", SLOW)
    dataset = files.read_json(paths.PREPARED / "dataset.json")
    weights = files.read_json(paths.WEIGHTS / "weights.json")
    backend.choose(parameters.backend)
    backend.configure(0, parameters.threads, parameters.deterministic, parameters.dtype)
    from pipeline.pretrained.extraction import base_of, compute, plan  # Keras, as it is configured

    ingredients = (parameters.model_dump(), dataset, weights, backend.environment())
    with building("features", "running the base", paths.FEATURES, ingredients) as folder:
        base = base_of(parameters, dataset)
        kept, record = plan(parameters, dataset, base)
        compute(parameters, dataset, kept, folder / "out")
        record["weights"] = weights["sha256"]
        files.write_json(folder / "out" / "features.json", record)


if __name__ == "__main__":
    run_stage("features", main, __doc__, tracking.record_failure)
