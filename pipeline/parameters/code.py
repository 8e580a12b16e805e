"""The code that decides each stage's result, as a digest for data/params/<stage>.json."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pipeline.datasets import registry
from pipeline.networks import registry as networks
from pipeline.parameters.stages import STAGES
from pipeline.runtime import source

# Two registries: of their modules those that a run has chosen count, and no others.
NETWORKS = "pipeline.networks.zoo"
READERS = "pipeline.datasets.readers"


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
    network = networks.find(model).module
    digests = {}
    for stage in STAGES:
        modules = source.closure(f"stages.{stage.stage()}", root=root, left_out=left_out)
        for registered, chosen in (
            (NETWORKS, network),
            (READERS, reader and f"{READERS}.{reader}"),
        ):
            if registered in modules and chosen:
                modules |= source.closure(chosen, root=root, left_out=left_out)
        digests[stage.stage()] = source.digest(modules)
    return digests
