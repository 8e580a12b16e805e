"""Score the trained model on the test images, once.

Reads data/params/evaluate.json, data/model, data/prepared and data/features.
Writes reports/metrics.json, classes.csv, confusion.csv, predictions.csv, and
data/explanations (what the report draws of the inside of the network). The
model is loaded anew from its file and sees raw uint8 pixels; where the stage
`features` has kept the base's maps of the test images, the head runs on them,
after a check on some images that the pixels give the same.
"""

from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from stages import backend
from stages.errors import PipelineError
from stages.evaluation.scores import Scores, both_columns, score
from stages.parameters.stages import EvaluateParameters
from stages.runtime import files, paths, resume
from stages.runtime.arrays import ArrayWriter, load_array
from stages.runtime.stage import run_stage, say
from stages.tracking import model_digest, recorder

# Images on which the maps' predictions are compared with the pixels'.
CHECKED = 32
TOLERANCE = 1e-5
# Images a step of the progress bar: what a kill may cost, some seconds of VGG16 in
# float32 and a tenth of a second of a small network.
CHUNK = 512
# What decides the probabilities' bytes.
CODE = ("backend.py", "evaluate.py", "models")


def main() -> None:
    parameters = EvaluateParameters.read()
    dataset = files.read_json(paths.PREPARED / "dataset.json")
    images = load_array(paths.PREPARED / "test_images.npy")
    labels = np.asarray(load_array(paths.PREPARED / "test_labels.npy"))
    if parameters.explain_image >= len(images):
        raise PipelineError(
            f"explain_image: {parameters.explain_image}: the test part has {len(images)} images, "
            f"counted from 0 to {len(images) - 1}"
        )
    backend.choose(parameters.backend)
    recorder.open_early()
    backend.configure(0, parameters.threads, parameters.deterministic, parameters.dtype)
    from stages.models import saving

    model_file = paths.MODEL_FILE
    digest = model_digest(model_file)
    record = recorder.attach_run(digest)
    model = saving.load_model(model_file)
    folder = resume.resume_folder(
        "evaluate",
        parameters.model_dump(),
        dataset["digest"],
        digest,
        backend.environment(),
        code=CODE,
    )
    probabilities = both_columns(_predict(model, images, folder))
    scores = score(labels, probabilities)
    summary = {**scores.summary, "parameters": _parameters(model)}
    files.write_json(paths.REPORTS / "metrics.json", summary)
    _write_tables(scores, dataset["classes"], labels, probabilities)

    from stages.explain.explanations import write_explanations
    from stages.models.build import single_view

    true = labels.argmax(axis=1)
    write_explanations(
        paths.EXPLANATIONS,
        single_view(model),
        images,
        true,
        probabilities,
        parameters.explain_image,
    )
    record.log_metrics({f"test_{name}": value for name, value in _flat(scores.summary).items()})
    for name in ("metrics.json", "classes.csv", "confusion.csv", "predictions.csv"):
        record.log_artifact(paths.REPORTS / name)
    record.finish()
    resume.forget(folder)
    say("evaluate", f"{len(images)} test images, accuracy {summary['accuracy']:.4f}")


def _predict(model: Any, images: np.ndarray, folder: Path) -> np.ndarray:
    """Probabilities, float32 (n, classes) or (n, 1), of all test images."""
    from stages.models.build import single_view

    kept = _kept_maps()
    if kept is None or single_view(model) is not model:
        return _in_chunks(model, images, folder)
    from stages.models.build import chain
    from stages.models.predicting import predict

    maps_file, layer = kept
    above = [of_model.name for of_model in model.layers].index(layer) + 1
    of_maps = _in_chunks(chain(model, above), load_array(maps_file), folder)
    of_pixels = predict(model, images[:CHECKED])
    difference = float(np.abs(of_maps[:CHECKED] - of_pixels).max())
    if difference > TOLERANCE:
        raise AssertionError(
            f"the model's predictions from pixels and from the features' maps differ by "
            f"{difference:.2g}, more than {TOLERANCE:g}"
        )
    return of_maps


def _kept_maps() -> tuple[Path, str] | None:
    """The test images' maps that the stage `features` has kept, and the layer they come from."""
    record = files.read_json(paths.FEATURES / "features.json")
    for kind in ("maps", "below"):
        path = paths.FEATURES / f"test_{kind}.npy"
        if path.exists():
            return path, record[kind]["layer"]
    return None


def _in_chunks(model: Any, inputs: np.ndarray, folder: Path) -> np.ndarray:
    """Predict with a progress bar; a stage that was stopped goes on after its last chunk."""
    from stages.models.predicting import predict

    path = folder / "probabilities.npy"
    shape = (len(inputs), model.output_shape[-1])
    with ArrayWriter(path, shape, "float32") as writer:
        steps = range(writer.done, len(inputs), CHUNK)
        for start in tqdm(steps, "evaluate", unit=f" × {CHUNK} images", disable=None):
            writer.append(predict(model, inputs[start : start + CHUNK]))
    return np.load(path, allow_pickle=False)


def _write_tables(
    scores: Scores, classes: list[str], labels: np.ndarray, probabilities: np.ndarray
) -> None:
    files.write_csv(
        paths.REPORTS / "classes.csv",
        ("class", "precision", "recall", "f1", "support"),
        ((name, *row) for name, row in zip(classes, scores.classes, strict=True)),
    )
    files.write_csv(
        paths.REPORTS / "confusion.csv",
        ("label", *classes),
        ((name, *row) for name, row in zip(classes, scores.confusion.tolist(), strict=True)),
    )
    split = _test_rows(paths.PREPARED / "split.csv")
    true = labels.argmax(axis=1)
    files.write_csv(
        paths.REPORTS / "predictions.csv",
        ("index", "name", "label", "prediction", *(f"p_{name}" for name in classes)),
        (
            (*split[i], classes[true[i]], classes[scores.predicted[i]], *(f"{p:.9g}" for p in row))
            for i, row in enumerate(probabilities)
        ),
    )


def _test_rows(path: Path) -> list[tuple[str, str]]:
    """(index in the raw data, file name) of each test image, in order."""
    import csv

    with path.open(encoding="utf-8", newline="") as file:
        return [(r["index"], r["name"]) for r in csv.DictReader(file) if r["part"] == "test"]


def _parameters(model: Any) -> dict[str, int]:
    def count(weights: list[Any]) -> int:
        return int(sum(np.prod(weight.shape) for weight in weights))

    return {"total": count(model.weights), "trainable": count(model.trainable_weights)}


def _flat(summary: dict[str, Any]) -> dict[str, float]:
    """{"weighted": {"f1": 1}} as {"weighted_f1": 1}."""
    flat: dict[str, float] = {}
    for name, value in summary.items():
        nested = value.items() if isinstance(value, dict) else [(None, value)]
        flat |= {f"{name}_{key}" if key else name: float(number) for key, number in nested}
    return flat


if __name__ == "__main__":
    run_stage("evaluate", main, __doc__, recorder.record_failure)
