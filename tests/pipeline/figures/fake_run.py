"""A small finished run by the data contracts: what `report` reads, without training anything."""

from typing import Any

import numpy as np

from pipeline.runtime import files, paths

CODE = "c0de" * 16  # the digest that the stage `params` writes beside the parameters
TOTAL = 5_402  # parameters of the network that is said to have run
PARAMETERS: dict[str, Any] = {
    "dataset": "digits",
    "image_size": None,
    "normalization": "minmax",
    "model": "tiny_cnn",
    "dropout": [],
    "activation": "relu",
    "pretrained_weights": None,
    "augmentation": "none",
    "mixup": 0.0,
    "cutmix": 0.0,
    "fine_tune_from": None,
    "epochs": 3,
    "learning_rate": 0.001,
    "deterministic": True,
    "explain_image": 0,
}


def write_run(
    classes: tuple[str, ...] = ("cat", "dog", "bird"),
    size: int = 8,
    channels: int = 1,
    tested: int = 12,
    wrong: int = 4,
    phases: tuple[str, ...] = ("training",) * 3,
    validation: bool = True,
    names: bool = False,
    heat: bool = True,
    twins: tuple[int, ...] = (),
    first_labels: tuple[tuple[float, ...], ...] = (),
    dataset: dict[str, Any] | None = None,
    **parameters: Any,
) -> None:
    """Write data/ and reports/ into the current folder.

    Image i of a part is of class i modulo their number; the first `wrong` test
    images are taken for the class after their own, each a little less surely
    than the one before. `first_labels` are those of the images that training saw first.
    """
    generator = np.random.default_rng(0)
    count = len(classes)
    counts = {"train": 2 * count, "validation": count if validation else 0, "test": tested}
    labels = {part: np.arange(number) % count for part, number in counts.items()}
    paths.PREPARED.mkdir(parents=True)
    for part, number in counts.items():
        images = generator.integers(0, 256, (number, size, size, channels), np.uint8)
        np.save(paths.PREPARED / f"{part}_images.npy", images)
        one_hot = np.eye(count, dtype="float32")[labels[part]]
        np.save(paths.PREPARED / f"{part}_labels.npy", one_hot)
    described = {
        "name": "digits",
        "title": "A few digits",
        "classes": list(classes),
        "image_shape": [size, size, channels],
        "source": "made up",
        "licence": "none",
        "digest": "sha256:" + "0" * 64,
        "counts": {p: np.bincount(labels[p], minlength=count).tolist() for p in paths.PARTS},
        "normalization": {"method": "minmax", "mean": [0.0], "variance": [1.0]},
        "skipped": [],
    }
    files.write_json(paths.PREPARED / "dataset.json", described | (dataset or {}))
    resolved = PARAMETERS | parameters
    files.write_json(paths.PARAMS / "report.json", {"code": CODE, **resolved})
    _write_history(phases, validation)
    predicted = labels["test"].copy()
    predicted[:wrong] = (predicted[:wrong] + 1) % count
    _write_scores(classes, labels["test"], predicted, TOTAL)
    _write_predictions(classes, labels["test"], predicted, names)
    _write_explanations(size, list(range(wrong)), heat)
    first = np.array(first_labels, "float32").reshape(len(first_labels), count)
    seen = np.zeros((len(first), size, size, channels), np.uint8)
    np.savez(paths.FIRST_BATCH, images=seen, labels=first)
    _write_layers((size, size, channels), count, TOTAL)
    _write_trust(tested, twins)


def _write_history(phases: tuple[str, ...], validation: bool) -> None:
    header = ["epoch", "phase", "accuracy", "loss", "learning_rate"]
    rows: list[list[Any]] = []
    for epoch, phase in enumerate(phases, start=1):
        rows.append([epoch, phase, 1 - 0.5 / epoch, 1 / epoch, 0.001])
        if validation:
            rows[-1] += [0.9 - 0.4 / epoch, 1.2 / epoch]
    header += ["val_accuracy", "val_loss"] if validation else []
    files.write_csv(paths.REPORTS / "history.csv", header, rows)


def _write_scores(
    classes: tuple[str, ...], labels: np.ndarray, predicted: np.ndarray, total: int
) -> None:
    count = len(classes)
    matrix = np.zeros((count, count), int)
    np.add.at(matrix, (labels, predicted), 1)
    hits, support, answers = matrix.diagonal(), matrix.sum(1), matrix.sum(0)
    recall, precision = hits / np.maximum(support, 1), hits / np.maximum(answers, 1)
    f1 = 2 * hits / np.maximum(support + answers, 1)
    rows = zip(classes, precision, recall, f1, support, strict=True)
    files.write_csv(
        paths.REPORTS / "classes.csv", ("class", "precision", "recall", "f1", "support"), rows
    )
    files.write_csv(
        paths.REPORTS / "confusion.csv",
        ("label", *classes),
        ((name, *row) for name, row in zip(classes, matrix.tolist(), strict=True)),
    )
    means = {"precision": precision.mean(), "recall": recall.mean(), "f1": f1.mean()}
    means = {name: float(value) for name, value in means.items()}
    scores: dict[str, Any] = {"accuracy": float((labels == predicted).mean()), "loss": 0.75}
    scores |= means | {"weighted": means}
    if count > 10:
        scores["top_5"] = 0.875
    scores |= {"images": len(labels), "parameters": {"total": total, "trainable": total}}
    files.write_json(paths.REPORTS / "metrics.json", scores)


def _write_predictions(
    classes: tuple[str, ...], labels: np.ndarray, predicted: np.ndarray, names: bool
) -> None:
    def row(position: int) -> list[Any]:
        sure = 0.99 - 0.3 * position / len(labels)
        shares = [(1 - sure) / max(len(classes) - 1, 1)] * len(classes)
        shares[predicted[position]] = sure
        name = f"test/사진 {position}.jpg" if names else ""
        found = [position, name, classes[labels[position]], classes[predicted[position]]]
        return found + [f"{share:.9g}" for share in shares]

    header = ["index", "name", "label", "prediction", *(f"p_{name}" for name in classes)]
    files.write_csv(paths.REPORTS / "predictions.csv", header, map(row, range(len(labels))))


def _write_explanations(size: int, mistakes: list[int], heat: bool) -> None:
    generator = np.random.default_rng(1)
    paths.EXPLANATIONS.mkdir(parents=True)
    maps = {
        "conv_1": generator.normal(size=(size - 2, size - 2, 10)).astype("float32"),
        "conv_2": generator.normal(size=(size - 3, size - 3, 20)).astype("float32"),
    }
    np.savez(paths.EXPLANATIONS / "activations.npz", **maps)
    shown = generator.random((len(mistakes), size, size)).astype("float32")
    np.savez(paths.EXPLANATIONS / "grad_cam.npz", **({"maps": shown} if heat else {}))
    files.write_json(
        paths.EXPLANATIONS / "explanations.json",
        {"image": 0, "layers": list(maps), "mistakes": mistakes},
    )


def _write_trust(tested: int, twins: tuple[int, ...]) -> None:
    """A temperature that is not applied, one promise, and twins of some test images in training."""
    said = {"error": 0.1, "error_interval": [0.05, 0.2], "loss": 0.75, "loss_interval": [0.5, 1.0]}
    calibration = {
        "temperature": 1.25,
        "applied": False,
        "images": 3,
        "before": said,
        "after": said,
    }
    kept = {
        "promised": 0.95,
        "right": tested,
        "coverage": 1.0,
        "size": 1.5,
        "single": 0.5,
        "largest": 2,
    }
    most = [{"position": 1, "times": 1.25}, {"position": 0, "times": 0.75}]
    unlike = {"expected": 0.05, "layer": "conv_2", "images": 1, "of": tested, "most": most}
    found = {"calibration": calibration, "sets": [kept], "unlike": unlike}
    files.write_json(paths.EXPLANATIONS / "trust.json", found)
    shown = [
        {
            "images": [{"part": "train", "position": 0}, {"part": "test", "position": position}],
            "chance": 1e-9,
            "bits": 3,
            "by": "pixels",
        }
        for position in twins
    ]
    pairs = {"train-test": len(twins)} if twins else {}
    described = {
        "images": 99,
        "everyone": True,
        "pairs": pairs,
        "tested": list(twins),
        "shown": shown,
    }
    files.write_json(paths.TWINS / "twins.json", described)


def _write_layers(shape: tuple[int, int, int], classes: int, total: int) -> None:
    """A normalisation, a convolution, and a dense layer with the other parameters."""
    height, width, channels = shape
    first = 10 * (9 * channels + 1)
    described = [
        ("normalization", "Rescaling", "pixels divided by 255", [*shape], 0, ""),
        ("conv_1", "Conv2D", "convolution, 10 filters of 3×3", [height, width, 10], first, "yes"),
        ("flatten", "Flatten", "maps to one vector", [height * width * 10], 0, ""),
        ("output", "Dense", "dense, softmax", [classes], total - first, "yes"),
    ]
    names = ("name", "kind", "what", "output", "parameters", "trained")
    rows = [dict(zip(names, row, strict=True)) for row in described]
    files.write_json(paths.EXPLANATIONS / "layers.json", rows)
