"""A sweep's file: a list of experiments, each a name and what it changes in params.yaml.

defaults:                  # of all experiments
  dataset: digits
  epochs: 5
seeds: 3                   # of all experiments; one run each where it is left out
experiments:
  - name: dropout-low
    overrides: {dropout: 0.2}
  - name: dropout-high
    overrides: {dropout: 0.8}
    seeds: 5               # five training seeds on the same split
"""

from pathlib import Path

from pipeline.errors import PipelineError
from tools.experiments.definition import (
    check_keys,
    check_name,
    check_once,
    listing,
    mapping,
    read_mapping,
    whole,
)
from tools.experiments.experiment import Base, Experiment, with_seeds

MOST_SEEDS = 1000


def read_sweep(path: Path, base: Base) -> list[Experiment]:
    """The experiments of a sweep's file, repeats spelled out, in the order of the file.

    Raises:
        PipelineError: one line with the file, the experiment and what is wrong;
            nothing has run then.
    """
    found = read_mapping(path)
    check_keys(str(path), found, ("defaults", "seeds", "experiments"), ("experiments",))
    defaults = mapping(f"{path}: defaults", found.get("defaults") or {})
    base.changed(f"{path}: defaults", {k: v for k, v in defaults.items() if k not in base.values})
    experiments: list[Experiment] = []
    for number, entry in enumerate(listing(f"{path}: experiments", found["experiments"]), 1):
        where = f"{path}: experiment {number}"
        check_keys(where, mapping(where, entry), ("name", "overrides", "seeds"), ("name",))
        name = check_name(where, entry["name"])
        where = f"{path}: {name}"
        overrides = mapping(f"{where}: overrides", entry.get("overrides") or {})
        seeds = entry.get("seeds", found.get("seeds"))
        if seeds is not None and whole(f"{where}: seeds", seeds, 1) > MOST_SEEDS:
            raise PipelineError(f"{where}: seeds: {seeds}: at most {MOST_SEEDS}")
        experiments += with_seeds(where, name, base, {**defaults, **overrides}, seeds)
    check_once(str(path), [experiment.name for experiment in experiments], "experiments")
    return experiments
