"""reports/peers.csv: a row for each tool, from what was measured of it."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.peers.definition import Peer

COLUMNS = (
    "tool",
    "version",
    "lines",
    "first_model_mnist_5k_s",
    "first_model_photos_s",
    "accuracy_mnist_5k",
    "accuracy_photos",
    "same_bytes",
    "killed",
    "shows",
    "cpu_mnist_5k_s",
    "cpu_photos_s",
    "others",
    "date",
    "machine",
)


def row(peer: Peer, record: Mapping[str, Any]) -> list[Any]:
    """The columns of one tool; empty where nothing was measured."""
    digits, photos = record.get("mnist_5k", {}), record.get("photos", {})
    first = record.get("first", {})
    runs = [run for run in record.values() if isinstance(run, dict)]
    return [
        peer.name,
        record.get("version", ""),
        record.get("lines", ""),
        digits.get("seconds", ""),
        photos.get("seconds", ""),
        digits.get("accuracy", ""),
        photos.get("accuracy", ""),
        _yes(digits["weights"] == first["weights"]) if digits and first else "",
        killed(record),
        peer.shows,
        digits.get("cpu_seconds", ""),
        photos.get("cpu_seconds", ""),
        max((run["others"] for run in runs), default=""),
        record.get("date", ""),
        record.get("machine", ""),
    ]


def killed(record: Mapping[str, Any]) -> str:
    """What a kill at half time cost: what both starts took beyond one, and what came out."""
    if not {"killed", "first"} <= record.keys():
        return ""
    whole, cut = record["first"], record["killed"]
    lost = max(0.0, cut["seconds"] - whole["seconds"])
    same = "the same" if cut["weights"] == whole["weights"] else "other"
    return f"{lost:.0f} of {whole['seconds']:.0f} s, then {same} bytes"


def rows(found: Sequence[tuple[Peer, Mapping[str, Any]]]) -> list[list[Any]]:
    """All tools of which something was measured, as they stand in the definition."""
    return [row(peer, record) for peer, record in found if "version" in record]


def _yes(same: bool) -> str:
    return "yes" if same else "no"
