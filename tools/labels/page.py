"""The doubtful labels as one HTML file in the report's style; it needs no network."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

import pipeline.figures
from pipeline.figures import tiles
from pipeline.figures.page import data_uri, percent
from tools.labels.doubts import Confusion, Doubts, nearest
from tools.labels.features import Features
from tools.labels.images import Images

TEMPLATE = "labels.html.j2"
# Pixels of the longer side; a page of 150 doubts with their neighbours has some 20 MB.
LARGE, SMALL = 160, 72
MOST_SHOWN = 150
MOST_PAIRS = 12


@dataclass(frozen=True)
class Check:
    """What was found and how. `places` are the doubts that are new, by their place in `doubts`;
    `how` says where the probabilities are from, `csv` where the file is; `disagreement` is the
    share of images whose out-of-fold class is not their label, `noise` the share of wrong labels
    that explains the labels best."""

    images: Images
    features: Features
    doubts: Doubts
    places: list[int]
    confused: list[Confusion]
    how: str
    csv: str
    threshold: float
    disagreement: float
    noise: float
    decided: int


def render(check: Check) -> str:
    """The page. Everything that is not the template's own text is escaped."""
    style = str(Path(pipeline.figures.__file__).parent)
    environment = Environment(
        loader=FileSystemLoader([Path(__file__).parent, style], encoding="utf-8"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"percent": percent, "count": lambda number: f"{number:,}"}
    images, dataset = check.images, check.images.dataset
    parts = [images.parts[check.doubts.rows[place]] for place in check.places]
    return environment.get_template(TEMPLATE).render(
        dataset=dataset,
        check=check,
        images=len(images),
        found=len(check.places),
        shown=min(MOST_SHOWN, len(check.places)),
        in_test=parts.count("test"),
        counts={part: (parts.count(part), count) for part, count in images.counts.items()},
        doubts=_doubts(check),
        confused=[
            {
                "label": images.classes[pair.label],
                "true": images.classes[pair.true],
                "images": pair.images,
                "share": pair.images / pair.labelled,
            }
            for pair in check.confused[:MOST_PAIRS]
        ],
    )


def _doubts(check: Check) -> list[dict[str, Any]]:
    """The doubts that are shown, each with its pictures."""
    images, doubts = check.images, check.doubts
    places = np.array(check.places[:MOST_SHOWN], "int64")
    if not places.size:
        return []
    rows, suggested = doubts.rows[places], doubts.suggested[places]
    labels = images.labels[rows]
    # All that is in doubt is nobody's neighbour, so all of it is handed over.
    own = _nearest(check, labels)
    other = _nearest(check, suggested)
    pictures = images.pixels(rows)
    return [
        {
            "picture": _picture(pictures[at], LARGE),
            "name": images.names[row],
            "part": images.parts[row],
            "label": images.classes[labels[at]],
            "suggested": images.classes[suggested[at]],
            "sure": doubts.sure[place],
            "score": doubts.score[place],
            "like_label": own[at],
            "like_suggested": other[at],
        }
        for at, (place, row) in enumerate(zip(places, rows, strict=True))
    ]


def _nearest(check: Check, classes: np.ndarray) -> list[list[str]]:
    """The pictures of the nearest images of a class, for each doubt that is shown."""
    everything = check.doubts.rows
    wanted = check.images.labels[everything].copy()
    shown = np.array(check.places[:MOST_SHOWN], "int64")
    wanted[shown] = classes
    found = nearest(check.features, check.images.labels, everything, wanted)
    return [
        [_picture(image, SMALL) for image in check.images.pixels(found[place])] for place in shown
    ]


def _picture(image: np.ndarray, longest: int) -> str:
    return data_uri(tiles.png(tiles.fitted(tiles.rgb(image), longest)))
