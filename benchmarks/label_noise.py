"""How many changed labels `make check-labels` finds, and what putting them right is worth.

    python -m benchmarks.label_noise dataset=/data/cats.zip model=vgg16 \\
        pretrained_weights=/data/vgg16.h5 --seeds 3 --train

The words are parameters, as with `dvc exp run -S`. A share of the training labels
is changed to another class, drawn by the seed; the training and validation images
are checked; of the training images listed it says how many were changed
(precision), and of the changed how many are listed (recall). The ceiling is what
the judge gets wrong on the labels as they came. --train trains three times: on
the labels as they came, on the changed ones, and after all suggestions were
followed. Test labels are as they came. Prints JSON. No DVC stage.
"""

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.label_workspace import overrides, run, workspace
from pipeline.datasets.labels import one_hot
from pipeline.errors import PipelineError
from pipeline.parameters.stages import TrainParameters
from pipeline.runtime import files, paths
from pipeline.runtime.stage import program_parser, run_program
from tools import check_labels
from tools.labels import doubts, features, head, images, noise, out_of_fold
from tools.labels.images import Images, Indices

FOLDS = check_labels.FOLDS


@dataclass(frozen=True)
class Found:
    """Counts over the training images; `ceiling` is the judge's error on clean labels."""

    seed: int
    threshold: float
    changed: int
    listed: int
    hits: int
    right_suggestions: int
    precision: float
    recall: float


def main() -> None:
    given = _parser().parse_args()
    with workspace("label-noise", overrides(given.parameters)) as root:
        clean, trained = images.read(with_test=False), TrainParameters.read()
        if not trained.pretrained_weights:
            raise PipelineError(f"model: {trained.model} has no pretrained base; choose one")
        pooled = features.pooled(clean, trained)
        assert pooled
        judged = _judge(clean, clean.labels, pooled[0])
        result: dict[str, Any] = {
            "model": trained.model,
            "images": clean.counts,
            "ceiling": float((judged.probabilities.argmax(axis=1) != clean.labels).mean()),
            "listed_when_clean": len(doubts.find(clean.labels, judged, given.threshold).rows),
            "noise": given.share,
            "seeds": [],
        }
        if given.train:
            result["accuracy_clean"] = _accuracy(clean.labels, clean, "clean", root)
        for seed in range(given.first_seed, given.first_seed + given.seeds):
            noisy = corrupted(clean, given.share, seed)
            judged = _judge(clean, noisy, pooled[0])
            found = doubts.find(noisy, judged, given.threshold)
            row: dict[str, Any] = asdict(scored(clean, noisy, found, seed, given.threshold))
            if given.train:
                row["accuracy_noisy"] = _accuracy(noisy, clean, f"noisy{seed}", root)
                fixed = noisy.copy()
                fixed[found.rows] = found.suggested
                row["accuracy_fixed"] = _accuracy(fixed, clean, f"fixed{seed}", root)
            print(f"seed {seed}: {row}", file=sys.stderr, flush=True)
            result["seeds"].append(row)
    print(json.dumps(result, indent=2))


def corrupted(clean: Images, share: float, seed: int) -> Indices:
    """The labels with `share` of the training images' changed to another class, by chance."""
    random = np.random.RandomState(seed)
    rows = np.flatnonzero(np.array(clean.parts) == "train")
    rows = random.permutation(rows)[: round(share * len(rows))]
    steps = random.randint(1, len(clean.classes), len(rows))
    labels = clean.labels.copy()
    labels[rows] = (labels[rows] + steps) % len(clean.classes)
    return labels


def scored(
    clean: Images, noisy: Indices, found: doubts.Doubts, seed: int, threshold: float
) -> Found:
    """The doubts against what was changed, over the training images."""
    changed = noisy != clean.labels
    place = np.array([clean.parts[row] == "train" for row in found.rows], bool)
    rows = found.rows[place]
    hits = changed[rows]
    right = int((found.suggested[place] == clean.labels[rows])[hits].sum())
    return Found(
        seed=seed,
        threshold=threshold,
        changed=int(changed.sum()),
        listed=len(rows),
        hits=int(hits.sum()),
        right_suggestions=right,
        precision=float(hits.mean()) if len(rows) else 1.0,
        recall=float(hits.sum() / max(1, changed.sum())),
    )


def _judge(clean: Images, labels: Indices, rows: features.Features) -> noise.Judgement:
    own = Images(clean.dataset, clean.counts, clean.names, clean.parts, labels, labels)
    fold = out_of_fold.folds_of(own, None, FOLDS, 42)
    return noise.fit(head.logits(rows, labels, fold, len(clean.classes)), labels)


def _accuracy(labels: Indices, clean: Images, name: str, root: Path) -> float:
    """The test accuracy after training on these labels."""
    description = paths.PREPARED / "dataset.json"
    # A killed training of other labels is none of this one's.
    digest = f"{clean.dataset['digest']}-{name}"
    _write(labels, clean)
    files.write_json(description, {**clean.dataset, "digest": digest})
    try:
        run("train", root)
        run("evaluate", root)
    finally:
        _write(clean.labels, clean)
        files.write_json(description, clean.dataset)
    accuracy = float(files.read_json(paths.REPORTS / "metrics.json")["accuracy"])
    print(f"{name}: test accuracy {accuracy:.4f}", file=sys.stderr, flush=True)
    return accuracy


def _write(labels: Indices, images: Images) -> None:
    """Write the labels into data/prepared."""
    start = 0
    for part, count in images.counts.items():
        rows = one_hot(labels[start : start + count], len(images.classes))
        np.save(paths.PREPARED / f"{part}_labels.npy", rows)
        start += count


def _parser() -> argparse.ArgumentParser:
    parser = program_parser("benchmarks.label_noise", __doc__)
    parser.add_argument("parameters", nargs="+", metavar="KEY=VALUE", help="as in params.yaml")
    parser.add_argument("--share", type=float, default=0.05, help="of the training labels (0.05)")
    parser.add_argument("--seeds", type=int, default=1, help="how many draws (default: 1)")
    parser.add_argument("--first-seed", type=int, default=0, help="the first of them (default: 0)")
    parser.add_argument("--threshold", type=float, default=doubts.THRESHOLD)
    parser.add_argument("--train", action="store_true", help="train on each set of labels, too")
    return parser


if __name__ == "__main__":
    run_program("label-noise", main)
