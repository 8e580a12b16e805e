"""The code that decides each stage's result, as a digest for data/params/<stage>.json."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pipeline.datasets import registry
from pipeline.networks.presets import PRESETS
from pipeline.parameters.stages import STAGES
from pipeline.runtime import source

# Two registries: of their entries the one that a run has chosen counts, and no other.
NETWORKS = "pipeline.networks.presets"  # its entries are values
READERS = "pipeline.datasets.readers"  # its entries are modules


def stage_code(values: Mapping[str, Any], root: Path = source.ROOT) -> dict[str, str]:
    """A SHA-256 (hex) for each stage after `params`.

    Args:
        values: all resolved parameters.
        root: the folder of the code; the tests name another.
    """
    described = registry.find(values["dataset"]).descriptor
    return entry_code(values["model"], described.reader if described else None, root)


def entry_code(
    model: str,
    reader: str | None,
    root: Path = source.ROOT,
    left_out: Iterable[str] = tuple(source.LEFT_OUT),
) -> dict[str, str]:
    """The same for a network and a reader of a named data set, each by its name."""
    left_out = tuple(left_out)
    digests = {}
    for stage in STAGES:
        program, entries = f"stages.{stage.stage()}", []
        modules = source.closure(program, root=root, left_out=left_out)
        if modules.pop(NETWORKS, None):
            entries.append(repr(PRESETS[model]))
        if READERS in modules and reader:
            modules |= source.closure(f"{READERS}.{reader}", root=root, left_out=left_out)
        digests[stage.stage()] = source.digest(modules, *entries)
    return digests
