"""Score the trained model on the test images, once.

Reads data/params/evaluate.json, data/model, data/prepared and data/features.
Writes reports/metrics.json, classes.csv, confusion.csv, predictions.csv, and
data/explanations (what the report draws of the inside of the network, and how far
its answers can be trusted). The
model is loaded anew from its file and sees raw uint8 pixels.
"""

import numpy as np

from pipeline import backend, tracking
from pipeline.errors import PipelineError
from pipeline.evaluation.reference import Reference, beside
from pipeline.evaluation.scores import score
from pipeline.evaluation.tables import write_tables
from pipeline.evaluation.trust import summary as trust_summary
from pipeline.evaluation.trust import trust
from pipeline.parameters.stages import EvaluateParameters
from pipeline.runtime import files, paths, resume
from pipeline.runtime.arrays import load_array
from pipeline.runtime.stage import run_stage, say


def main() -> None:
    parameters = EvaluateParameters.read()
    dataset = files.read_json(paths.PREPARED / "dataset.json")
    images = load_array(paths.PREPARED / "test_images.npy")
    labels = np.asarray(load_array(paths.PREPARED / "test_labels.npy"))
    explained = parameters.explain_image
    if explained >= len(images):
        raise PipelineError(
            f"explain_image: {explained}: the test part has {len(images)} images, "
            f"counted from 0 to {len(images) - 1}"
        )
    backend.choose(parameters.backend)
    backend.configure(0, parameters.threads, parameters.deterministic, parameters.dtype)
    from pipeline.evaluation.predictions import predict_test
    from pipeline.explain import write_explanations
    from pipeline.networks import saving
    from pipeline.networks.table import count_weights

    model = saving.load_model(paths.MODEL_FILE)
    digest = files.sha256(paths.MODEL_FILE)
    ingredients = (parameters.model_dump(), dataset["digest"], digest, backend.environment())
    folder = resume.resume_folder("evaluate", *ingredients)
    reference = Reference.load(beside(paths.MODEL_FILE))
    layer = reference.layer if reference else None
    probabilities, features = predict_test(model, images, folder, layer)
    scores = score(labels, probabilities)
    true = labels.argmax(axis=1)
    trusted = trust(reference, true, probabilities, features)
    files.write_json(paths.EXPLANATIONS / "trust.json", trusted)
    summary = {**scores.summary, "parameters": count_weights(model), **trust_summary(trusted)}
    files.write_json(paths.REPORTS / "metrics.json", summary)
    write_tables(scores, dataset["classes"], labels, probabilities)
    write_explanations(paths.EXPLANATIONS, model, images, true, probabilities, explained)
    resume.forget(folder)
    say("evaluate", f"{len(images)} test images, accuracy {summary['accuracy']:.4f}")


if __name__ == "__main__":
    run_stage("evaluate", main, __doc__, tracking.record_failure)
