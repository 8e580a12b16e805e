"""Where things are.

A stage runs in a *workspace* (the current folder), which for `dvc exp run
--temp` and queued runs is a copy under .dvc/tmp/exps. What must outlive the
workspace stands under the *root*, the main repository, which DVC names in
DVC_ROOT in every kind of run.
"""

import os
from pathlib import Path

# Lists of a person's own: experiments, groups, fixed labels.
LISTS = Path("experiments")
PARAMS = Path("data/params")
RAW = Path("data/raw")
WEIGHTS = Path("data/weights")
PREPARED = Path("data/prepared")
FEATURES = Path("data/features")
TWINS = Path("data/twins")
FIRST_BATCH = Path("data/first_batch.npz")
MODEL = Path("data/model")
MODEL_FILE = MODEL / "model.keras"
EXPLANATIONS = Path("data/explanations")
REPORTS = Path("reports")
FIGURES = REPORTS / "figures"
TIMINGS = REPORTS / "timings"

PARTS = ("train", "validation", "test")


def root() -> Path:
    """The main repository's folder, absolute; the current one outside DVC."""
    return Path(os.environ.get("DVC_ROOT") or Path.cwd()).resolve()


def state() -> Path:
    """The git-ignored folder of resume files and locks, under the root."""
    return root() / ".state"
