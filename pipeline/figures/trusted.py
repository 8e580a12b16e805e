"""How far the answers can be trusted: calibration, sets, unlike images, groups, twins."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.datasets.names import counted
from pipeline.evaluation import groups
from pipeline.evaluation.groups import Group
from pipeline.figures import tiles
from pipeline.figures.headline import wilson_interval
from pipeline.figures.page import data_uri
from pipeline.figures.results import Predictions
from pipeline.runtime import paths

PICTURE = 96  # pixels, the longer side
PAIRS = 24  # twins that are shown
MISTAKES = 6  # of a group that is shown
GROUPS = 12
Image = np.ndarray


@dataclass(frozen=True)
class Trusted:
    """`found` is data/explanations/trust.json, `twins` data/twins/twins.json; `pairs` the images
    of the first twins, `unlike` of the test images most unlike the training ones; `differing` are
    the groups whose accuracy differs, of `tried`, each with the pictures of some mistakes
    (position and image)."""

    found: dict[str, Any]
    twins: dict[str, Any]
    pairs: list[tuple[Image, Image]]
    unlike: list[Image]
    differing: list[tuple[Group, list[tuple[int, Image]]]]
    tried: int


def read(
    images: np.ndarray,
    predictions: Predictions,
    classes: Sequence[str],
    found: dict[str, Any],
    twins: dict[str, Any],
) -> Trusted:
    """What the section shows.

    Args:
        images: uint8 (n, H, W, C), the test part.
        found: and `twins`: see `Trusted`.
    """
    number = {name: at for at, name in enumerate(classes)}
    labels = np.array([number[label] for label in predictions.labels])
    measures = groups.measured(images)
    sizes = paths.PREPARED / "test_sizes.npy"
    if sizes.exists():
        measures["size, pixels"] = np.load(sizes, allow_pickle=False).prod(axis=1).astype("float64")
    differing, tried = groups.find(labels, predictions.right, classes, predictions.names, measures)
    parts = {part: _mapped(part) for part in paths.PARTS}

    def picture(place: dict[str, Any]) -> Image:
        return _small(parts[place["part"]][place["position"]])

    def mistakes(group: Group) -> list[tuple[int, Image]]:
        wrong = group.rows[~predictions.right[group.rows]]
        surest = wrong[np.argsort(-predictions.confidence[wrong], kind="stable")][:MISTAKES]
        return [(int(row), _small(images[row])) for row in surest]

    return Trusted(
        found,
        twins,
        [tuple(map(picture, pair["images"])) for pair in twins["shown"][:PAIRS]],  # type: ignore[misc]
        [_small(images[one["position"]]) for one in found.get("unlike", {"most": []})["most"]],
        [(group, mistakes(group)) for group in differing[:GROUPS]],
        tried,
    )


def words(trusted: Trusted, predictions: Predictions) -> dict[str, Any]:
    """What the templates use."""
    return {
        "calibration": trusted.found["calibration"],
        "sets": [_kept(kept, len(predictions.labels)) for kept in trusted.found.get("sets", [])],
        "unlike": _unlike(trusted, predictions),
        "groups": [_group(group, shown, predictions) for group, shown in trusted.differing],
        "groups_tried": trusted.tried,
        "twins": _twins(trusted, predictions),
    }


def warnings(trusted: Trusted) -> list[str]:
    """What makes the score doubtful: test images that stand in another part, too."""
    tested = len(trusted.twins["tested"])
    if not tested:
        return []
    verb = "has a twin" if tested == 1 else "have twins"
    return [
        f"{counted(tested, 'test image')} {verb} among the images of training or validation "
        "(see Twins), so the scores are a little too good."
    ]


def _kept(kept: dict[str, Any], images: int) -> dict[str, Any]:
    low, high = wilson_interval(kept["right"], images)
    return {**kept, "low": low, "high": high, "holds": high >= kept["promised"]}


def _unlike(trusted: Trusted, predictions: Predictions) -> dict[str, Any] | None:
    found = trusted.found.get("unlike")
    if found is None:
        return None
    shown = [
        {
            "picture": _uri(image),
            "label": predictions.labels[one["position"]],
            "times": one["times"],
            "name": predictions.names[one["position"]] or f"test image {one['position']}",
        }
        for one, image in zip(found["most"], trusted.unlike, strict=True)
    ]
    return {**found, "share": found["images"] / found["of"], "shown": shown}


def _group(
    group: Group, shown: list[tuple[int, Image]], predictions: Predictions
) -> dict[str, Any]:
    return {
        "kind": group.kind,
        "name": group.name,
        "images": len(group.rows),
        "accuracy": group.accuracy,
        "expected": group.expected / len(group.rows),
        "p": "below 0.0001" if group.p < 1e-4 else f"{group.p:.2g}",
        "pictures": [
            {
                "picture": _uri(image),
                "label": predictions.labels[row],
                "prediction": predictions.predictions[row],
                "name": predictions.names[row] or f"test image {row}",
            }
            for row, image in shown
        ],
    }


def _twins(trusted: Trusted, predictions: Predictions) -> dict[str, Any]:
    twins, right = trusted.twins, predictions.right
    alone = np.ones(len(right), bool)
    alone[twins["tested"]] = False
    total = sum(twins["pairs"].values())
    sentences = []
    if total:
        kinds = [
            f"{count:,} {kind.replace('-', ' and ')}" for kind, count in twins["pairs"].items()
        ]
        sentences.append(f"{counted(total, 'pair')} of twins: {', '.join(kinds)}.")
    else:
        sentences.append(f"Among {twins['images']:,} images no two are the same picture.")
    if twins["tested"] and alone.any():
        sentences.append(
            f"{counted(len(twins['tested']), 'test image')} with a twin in training or validation. "
            f"Without them {right[alone].mean():.2%} of {int(alone.sum()):,} are named rightly, "
            f"with them {right.mean():.2%} of {len(right):,}."
        )
    if not twins["everyone"]:
        sentences.append("Of so many images only those of validation and test were compared.")
    shown = [
        {
            "pictures": [_uri(image) for image in images],
            "parts": [f"{place['part']} {place['position']}" for place in pair["images"]],
            "by": pair["by"],
            "bits": pair["bits"],
            "chance": f"{pair['chance']:.0e}" if pair["chance"] else "0",
        }
        for pair, images in zip(twins["shown"], trusted.pairs, strict=False)
    ]
    return {"sentences": sentences, "shown": shown, "total": total}


def _mapped(part: str) -> np.ndarray:
    return np.load(paths.PREPARED / f"{part}_images.npy", mmap_mode="r", allow_pickle=False)


def _small(image: np.ndarray) -> Image:
    return tiles.shrunk(tiles.rgb(np.asarray(image)), PICTURE)


def _uri(image: Image) -> str:
    return data_uri(tiles.png(image))
