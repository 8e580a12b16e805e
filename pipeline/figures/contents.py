"""From results to what the report holds: its pictures, and the words and tables of its page."""

from typing import Any

import numpy as np

from pipeline.datasets.resizing import Resize
from pipeline.figures import (
    activations,
    audit,
    changes,
    classes,
    confusion,
    curves,
    headline,
    names,
    network,
    pictures,
    tiles,
    trusted,
)
from pipeline.figures.first_batch import first_batch_figure
from pipeline.figures.page import data_uri, percent
from pipeline.figures.reliability import Reliability, reliability, reliability_figure
from pipeline.figures.results import Results
from pipeline.networks.registry import find


def charts(results: Results) -> dict[str, bytes]:
    """The PNGs of the charts, which the page shows: file name without ending to bytes."""
    drawn = {metric: curves.curve(results.history, metric) for metric in ("loss", "accuracy")}
    rates = curves.learning_rate(results.history)
    if rates:
        drawn["learning_rate"] = rates
    if results.confusion is not None:
        drawn["confusion_counts"] = confusion.counts_figure(results.confusion, results.classes)
        drawn["confusion_shares"] = confusion.shares_figure(results.confusion, results.classes)
    drawn["classes"] = classes.classes_figure(results.scores)
    drawn["reliability"] = reliability_figure(calibration(results))
    return drawn


def layers(results: Results) -> dict[str, bytes]:
    """The PNG of each explained layer, in order: the layer's name to bytes."""
    maps = results.explained.maps
    return {name: activations.activations_figure(name, maps[name]) for name in maps}


def sheets(results: Results) -> dict[str, bytes]:
    """The PNGs of many images: the page has the images one by one, with words beside them."""
    drawn = {"samples": pictures.samples_figure(results.samples, results.classes)}
    if results.first_batch:
        drawn["first_batch"] = first_batch_figure(results.first_batch, results.classes)
    if results.mistakes:
        drawn["mistakes"] = pictures.mistakes_figure(results.mistakes, results.classes)
    return drawn


def calibration(results: Results) -> Reliability:
    """How sure the predictions were, and how right."""
    return reliability(results.predictions.confidence, results.predictions.right)


def words(results: Results) -> dict[str, Any]:
    """Everything of the page but its charts: what report.html.j2 uses."""
    predictions, metrics = results.predictions, results.metrics
    confused = confusion.most_confused(
        predictions.labels, predictions.predictions, 8 if len(results.classes) <= 12 else 20
    )
    rows = network.layer_table(
        results.layers,
        results.parameters["fine_tune_from"],
        base.end if (base := find(results.parameters["model"]).base) else None,
    )
    samples = [
        {"name": name, "pictures": [_picture(image) for image in images]}
        for name, images in zip(results.classes, results.samples, strict=False)
    ]
    phases = [results.history.phases[start - 1] for start in results.history.starts()]
    return {
        "parameters": results.parameters,
        "dataset": results.dataset,
        "classes": results.classes,
        "metrics": metrics,
        "tiles": _tiles(results),
        "sentences": headline.sentences(results, confused),
        "warnings": [
            *headline.warnings(results),
            *audit.warnings(results.audit),
            *changes.warnings(results.dataset),
            *trusted.warnings(results.trusted),
        ],
        "numbered": names.numbered(results.classes),
        "phases": [curves.phase_words(phase) for phase in phases],
        "validated": results.history.validation is not None,
        "confused": confused,
        "scores": results.scores,
        "drawn": len(classes.drawn(results.scores)),
        "wrong": len(predictions.labels) - results.hits,
        "heated": any(mistake.heat is not None for mistake in results.mistakes),
        "mistakes": [_mistake(mistake, results.classes) for mistake in results.mistakes],
        "explained": _explained(results),
        "resized": _resized(results),
        "samples": samples,
        "first_batch": [
            {"picture": _picture(seen.image), "label": seen.label(results.classes)}
            for seen in results.first_batch
        ],
        "samples_single": max(len(images) for images in results.samples) == 1,
        "audit": audit.sentences(results.audit),
        "changes": changes.sentences(results.dataset, results.parameters),
        "layers": rows,
        "layer_total": network.total(rows),
        "weights": results.weights,
        **trusted.words(results.trusted, predictions),
    }


def _tiles(results: Results) -> list[dict[str, str]]:
    metrics = results.metrics
    images = metrics["images"]
    low, high = headline.wilson_interval(results.hits, images)
    baseline = headline.majority_baseline(results.dataset["counts"], results.classes)
    error = calibration(results).error
    found = [
        (
            "Accuracy",
            percent(metrics["accuracy"]),
            f"{results.hits:,} of {images:,} test images; 95% interval "
            f"{percent(low)} to {percent(high)}",
        ),
        ("Baseline", percent(baseline.accuracy), f"always answering “{baseline.name}”"),
        ("F1, macro", percent(metrics["f1"]), "mean over the classes, small ones count as much"),
    ]
    if metrics.get("top_5") is not None:
        found.append(("Top 5", percent(metrics["top_5"]), "the true class is among the first five"))
    loss = metrics["loss"]
    found += [
        ("Loss", "–" if loss is None else f"{loss:.3f}", "cross-entropy on the test images"),
        (
            "Calibration error",
            percent(error),
            "how far its confidence is from its accuracy, on average",
        ),
        ("Parameters", f"{metrics['parameters']['total']:,}", results.parameters["model"]),
    ]
    return [{"name": name, "value": value, "words": text} for name, value, text in found]


def _mistake(mistake: pictures.Mistake, names_of: list[str]) -> dict[str, Any]:
    heat = mistake.heat
    return {
        "picture": _picture(mistake.image),
        "heat": None if heat is None else _picture(tiles.overlay(mistake.image, heat)),
        "label": names_of[mistake.label],
        "prediction": names_of[mistake.prediction],
        "confidence": mistake.confidence,
        "position": mistake.position,
        "name": mistake.name,
    }


def _explained(results: Results) -> dict[str, Any]:
    position, predictions = results.explained.position, results.predictions
    return {
        "picture": _picture(results.explained.image),
        "position": position,
        "name": predictions.names[position],
        "label": predictions.labels[position],
        "prediction": predictions.predictions[position],
        "confidence": float(predictions.confidence[position]),
    }


def _resized(results: Results) -> str | None:
    """How the images got their size; None where a data set kept its own."""
    if results.parameters["image_size"] is None:
        return None
    resize = Resize.read(results.dataset.get("resize"))
    return resize.in_words(*results.dataset["image_shape"][:2])


def _picture(image: np.ndarray) -> str:
    return data_uri(tiles.png(image))
