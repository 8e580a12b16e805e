"""What the report shows, read from the files of the stages before."""

import csv
from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np

from pipeline.errors import PipelineError
from pipeline.figures import classes, confusion, curves, pictures, tiles, trusted
from pipeline.figures.first_batch import seen_first
from pipeline.figures.results import Explained, Predictions, Results
from pipeline.parameters.stages import ReportParameters
from pipeline.runtime import files, paths

EXPLAINED_SIZE = 160  # pixels, the longer side of the image whose activations are shown


def read_results() -> Results:
    """Everything that the report shows, read from the workspace.

    Raises:
        PipelineError: a file is not there, or they are not of the same run.
    """
    dataset = _json(paths.PREPARED / "dataset.json")
    _need(ReportParameters.path())
    resolved = ReportParameters.read().resolved
    parameters = {name: _without_folders(value) for name, value in resolved.items()}
    audit, weights = paths.PREPARED / "audit.json", paths.WEIGHTS / "weights.json"
    record = _json(weights) if weights.exists() else {}
    images = _array(paths.PREPARED / "test_images.npy")
    predictions = _predictions(dataset["classes"])
    if len(predictions.labels) != len(images):
        raise PipelineError(
            f"{paths.REPORTS / 'predictions.csv'}: {len(predictions.labels)} rows for "
            f"{len(images)} test images; run `dvc repro`, which scores them again"
        )
    explanations = _json(paths.EXPLANATIONS / "explanations.json")
    return Results(
        parameters=parameters,
        dataset=dataset,
        audit=_json(audit) if audit.exists() else None,
        weights=record if record.get("pretrained_weights") else None,
        metrics=_json(paths.REPORTS / "metrics.json"),
        history=curves.parse_history(_rows(paths.REPORTS / "history.csv")),
        scores=classes.parse_classes(_rows(paths.REPORTS / "classes.csv")),
        confusion=_confusion(len(dataset["classes"])),
        predictions=predictions,
        samples=_samples(len(dataset["classes"])),
        first_batch=seen_first(**_arrays(paths.FIRST_BATCH)),
        mistakes=_mistakes(images, predictions, dataset["classes"], explanations["mistakes"]),
        explained=_explained(images, explanations),
        layers=_json(paths.EXPLANATIONS / "layers.json"),
        trusted=trusted.read(
            images,
            predictions,
            dataset["classes"],
            _json(paths.EXPLANATIONS / "trust.json"),
            _json(paths.TWINS / "twins.json"),
        ),
    )


def _predictions(names: list[str]) -> Predictions:
    column = {name: 4 + number for number, name in enumerate(names)}
    found = Predictions([], [], [], np.empty(0))
    confidence = []
    lines = _lines(paths.REPORTS / "predictions.csv")
    next(lines)
    for line in lines:
        _, name, label, prediction = line[:4]
        found.names.append(name)
        found.labels.append(label)
        found.predictions.append(prediction)
        confidence.append(float(line[column[prediction]]))
    return Predictions(found.names, found.labels, found.predictions, np.array(confidence))


def _confusion(count: int) -> np.ndarray | None:
    if count > confusion.DRAWN:
        return None
    lines = list(_lines(paths.REPORTS / "confusion.csv"))[1:]
    return np.array([[int(cell) for cell in line[1:]] for line in lines])


def _samples(count: int) -> list[list[np.ndarray]]:
    images = _array(paths.PREPARED / "train_images.npy")
    labels = _array(paths.PREPARED / "train_labels.npy")
    return [
        [tiles.shrunk(tiles.rgb(images[position]), pictures.SAMPLE_SIZE) for position in row]
        for row in pictures.samples_of_each(labels, count)
    ]


def _mistakes(
    images: np.ndarray, predictions: Predictions, names: list[str], worst: list[int]
) -> list[pictures.Mistake]:
    heat = _arrays(paths.EXPLANATIONS / "grad_cam.npz").get("maps")
    found = []
    for number, position in enumerate(worst):
        image = tiles.shrunk(tiles.rgb(images[position]), pictures.MISTAKE_SIZE)
        found.append(
            pictures.Mistake(
                image=image,
                heat=None if heat is None else tiles.heat_like(heat[number], image),
                label=names.index(predictions.labels[position]),
                prediction=names.index(predictions.predictions[position]),
                confidence=float(predictions.confidence[position]),
                position=position,
                name=predictions.names[position],
            )
        )
    return found


def _explained(images: np.ndarray, explanations: dict[str, Any]) -> Explained:
    position = explanations["image"]
    maps = _arrays(paths.EXPLANATIONS / "activations.npz")
    return Explained(
        position,
        tiles.shrunk(tiles.rgb(images[position]), EXPLAINED_SIZE),
        {name: maps[name] for name in explanations["layers"]},
    )


def _without_folders(value: Any) -> Any:
    """A path of the machine as its last name: the page is the same wherever it is made."""
    if isinstance(value, str):
        for path in (PurePosixPath(value), PureWindowsPath(value)):
            if path.is_absolute():
                return path.name
    return value


def _need(path: Path) -> Path:
    if not path.is_file():
        raise PipelineError(f"{path}: not there; run `dvc repro`, which makes it")
    return path


def _json(path: Path) -> Any:
    return files.read_json(_need(path))


def _lines(path: Path) -> Iterator[list[str]]:
    with _need(path).open(encoding="utf-8", newline="") as file:
        yield from csv.reader(file)


def _rows(path: Path) -> list[dict[str, str]]:
    with _need(path).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _array(path: Path) -> np.ndarray:
    return np.load(_need(path), mmap_mode="r", allow_pickle=False)


def _arrays(path: Path) -> dict[str, np.ndarray]:
    with np.load(_need(path), allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}
