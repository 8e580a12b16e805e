"""Groups and fixed labels (data/prepared/dataset.json) in words."""

from collections.abc import Mapping
from typing import Any

from pipeline.datasets.names import counted


def warnings(dataset: Mapping[str, Any]) -> list[str]:
    """What makes the scores doubtful, or another matter than those of other runs."""
    said = []
    fixed = dataset.get("label_fixes")
    if fixed and (tested := fixed["relabelled"]["test"] + fixed["left_out"]["test"]):
        said.append(
            f"The test part itself was changed: {fixed['file']} relabels "
            f"{counted(fixed['relabelled']['test'], 'test image')} and leaves "
            f"{fixed['left_out']['test']:,} out ({tested:,} together). These scores do not compare "
            "with those of runs without it."
        )
    groups = dataset.get("groups")
    if groups and groups["torn"]["groups"]:
        said.append(
            f"The source's own split tears {counted(groups['torn']['groups'], 'group')} of images "
            f"that belong together ({groups['by']}; {counted(groups['torn']['images'], 'image')}), "
            "so the scores are too good."
        )
    return said


def sentences(dataset: Mapping[str, Any], parameters: Mapping[str, Any]) -> list[str]:
    """How the images were shared out, and which labels are not those that the images came with."""
    said = []
    if folds := parameters.get("folds"):
        said.append(
            f"The validation part is fold {parameters['fold']} of {folds} (they count from 0); the "
            "test part is the same for all folds."
        )
    if groups := dataset.get("groups"):
        alone = f" {counted(groups['alone'], 'image')} belong to none." if groups["alone"] else ""
        whole = "no group stands in two parts" if not groups["torn"]["groups"] else "see above"
        said.append(f"{groups['by']}: {counted(groups['groups'], 'group')}, {whole}.{alone}")
    if fixed := dataset.get("label_fixes"):
        parts = [
            f"{part} {fixed['relabelled'][part]:,} and {fixed['left_out'][part]:,}"
            for part in fixed["relabelled"]
        ]
        said.append(
            f"{fixed['file']} changed labels: images relabelled and left out: {', '.join(parts)}."
        )
        said += [
            f"{name} ({part}): {label}, {f'now {becomes}' if becomes else 'left out'}."
            for name, part, label, becomes in fixed["first"]
        ]
        total = sum(fixed["relabelled"].values()) + sum(fixed["left_out"].values())
        if total > len(fixed["first"]):
            said.append(f"… and {total - len(fixed['first']):,} more, in data/prepared/fixes.csv.")
    return said
