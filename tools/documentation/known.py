"""Tables of what the code knows: networks, bases, data sets, parameters."""

import re
from collections.abc import Mapping
from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt

from pipeline.datasets import registry as datasets
from pipeline.networks.registry import Network, networks
from pipeline.parameters.schema import AUGMENTATIONS, Parameters
from pipeline.parameters.stages import STAGES, ReportParameters
from tools.documentation.blocks import code, table
from tools.documentation.counts import Counts

# The heads of the cells that need a built network.
NETWORK_COUNTS = ("parameters, 28×28×1", "32×32×3")
BASE_COUNTS = ("parameters", "kept an image")


def networks_table(counts: Mapping[str, Counts]) -> str:
    """The networks that start from nothing, with what was published with each."""
    head = ("`model`", *NETWORK_COUNTS, "dropout", "epochs", "batch", "optimizer", "smallest")
    return table(head, (_network(found, counts) for found in _some(base=False)))


def bases_table(counts: Mapping[str, Counts]) -> str:
    """The networks on a pretrained base."""
    head = ("`model`", *BASE_COUNTS, "image_size", "smallest", "weights' licence")
    return table(head, (_base(found, counts) for found in _some(base=True)))


def datasets_table() -> str:
    """The named data sets."""
    head = ("`dataset`", "what", "pixels", "classes", "from", "licence")
    rows = []
    for name in datasets.names():
        found = datasets.descriptor(name)
        pixels = "×".join(map(str, found.image_shape))
        classes = str(len(found.classes))
        rows.append((code(name), found.title, pixels, classes, found.source, found.licence))
    return table(head, rows)


def parameters_table(params: str) -> str:
    """Every parameter with its default, what it may be, and the stages that run again."""
    head = ("parameter", "default", "may be", "runs again", "what it is")
    rows = []
    for keys, about in _commented(params):
        for number, (key, value) in enumerate(keys):
            words = about if number == 0 else f"see `{keys[0][0]}`"
            rows.append((code(key), code(value), _kind(key), _stages(key), words))
    return table(head, rows)


def _some(base: bool) -> list[Network]:
    return [found for found in networks().values() if (found.base is not None) == base]


def _network(found: Network, counts: Mapping[str, Counts]) -> tuple[str, ...]:
    published = found.published
    return (
        code(found.name),
        *counts[found.name].cells,
        ", ".join(f"{rate:g}" for rate in found.dropout) or "–",
        str(published.epochs),
        str(published.batch_size),
        f"{published.optimizer} {published.learning_rate:g}",
        str(found.smallest_image),
    )


def _base(found: Network, counts: Mapping[str, Counts]) -> tuple[str, ...]:
    assert found.base is not None
    sizes = (str(found.published.image_size), str(found.smallest_image))
    return code(found.name), *counts[found.name].cells, *sizes, found.base.imagenet.licence


def _commented(params: str) -> list[tuple[list[tuple[str, str]], str]]:
    """The keys of params.yaml with the comment above them: keys and values, and the words."""
    found: list[tuple[list[tuple[str, str]], str]] = []
    words: list[str] = []
    for line in params.splitlines():
        if line.startswith("#"):
            words = [] if line.startswith("# ---") else [*words, line.removeprefix("#").strip()]
        elif key := re.fullmatch(r"(\w+): (.*)", line):
            if words or not found:
                found.append(([], _marked(" ".join(words))))
                words = []
            found[-1][0].append((key[1], key[2]))
        else:
            words = []
    return found


def _marked(words: str) -> str:
    """A comment as Markdown: nothing of it is a mark, and a page of docs/ is a link."""
    return re.sub(r"docs/([\w-]+)\.md", r"[\1](\1.md)", re.sub(r"([*<])", r"\\\1", words))


def _kind(key: str) -> str:
    """What the schema allows."""
    if key == "augmentation":
        return ", ".join(map(code, ("none", *AUGMENTATIONS)))
    field = Parameters.model_fields[key]
    return _allowed(field.annotation, field.metadata)


def _allowed(kind: Any, metadata: Any = ()) -> str:
    if isinstance(kind, type):
        names = {
            bool: "true, false",
            int: "whole number",
            float: "number",
            str: "text",
            type(None): "null",
        }
        return _bounded(names[kind], metadata)
    if get_origin(kind) is Literal:
        return ", ".join(map(code, get_args(kind)))
    if get_origin(kind) is list:
        return "a list of them"
    if hasattr(kind, "__metadata__"):
        inner, *more = get_args(kind)
        return _allowed(inner, [*more, *metadata])
    # null stands in the column of defaults, and in the head of params.yaml.
    parts = [_allowed(each) for each in get_args(kind) if each is not type(None)]
    return " or ".join(parts)


def _bounded(name: str, metadata: Any) -> str:
    """'number, 0 to below 1' of a number with bounds."""
    flat = [each for item in metadata for each in (item, *getattr(item, "metadata", ()))]
    low = next((f"{b.ge:g}" for b in flat if isinstance(b, Ge)), "")
    low = low or next((f"above {b.gt:g}" for b in flat if isinstance(b, Gt)), "")
    high = next((f"{b.le:,}" for b in flat if isinstance(b, Le)), "")
    high = high or next((f"below {b.lt:g}" for b in flat if isinstance(b, Lt)), "")
    if not low:
        return name
    return f"{name}, {low} to {high}" if high else f"{name}, {low} or more"


def _stages(key: str) -> str:
    """The first stage that uses it, and so those that follow; the report shows all."""
    used = [
        stage.stage()
        for stage in STAGES
        if stage is not ReportParameters and key in stage.model_fields
    ]
    return ", ".join(used) or "report"
