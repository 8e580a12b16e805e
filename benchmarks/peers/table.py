"""reports/peers.csv: a row for each tool, from what was measured of it."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.peers.definition import Peer
from benchmarks.table import BUSY

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

HEAD = (
    "tool",
    "lines to write",
    "seconds to a first model: digits, photographs",
    "processor seconds",
    "test accuracy",
    "the second run gives the same bytes",
    "a kill at half time costs",
    "shows at the end",
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


def markdown(found: Sequence[tuple[Peer, Mapping[str, Any]]]) -> str:
    """The same to read, and what it was measured on."""
    lines = [HEAD, ("---",) * len(HEAD)]
    made = [dict(zip(COLUMNS, values, strict=True)) for values in rows(found)]
    for each in made:
        lines.append(
            (
                f"{each['tool']} {each['version']}",
                f"{each['lines']}",
                _pair(each["first_model_mnist_5k_s"], each["first_model_photos_s"]),
                _pair(each["cpu_mnist_5k_s"], each["cpu_photos_s"]),
                _pair(each["accuracy_mnist_5k"], each["accuracy_photos"]),
                each["same_bytes"] or "–",
                each["killed"] or "–",
                each["shows"],
            )
        )
    where = " and ".join(sorted({each["machine"] for each in made}))
    dates = " and ".join(sorted({each["date"] for each in made}))
    said = f"{where}; {dates}; one run each."
    others = max((each["others"] for each in made), default=0.0)
    if others > BUSY:
        said += (
            f" **Under load**: other programs used up to {others:.0%} of the processors; seconds "
            "say little, processor seconds more."
        )
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + f"\n\n{said}"


def _pair(digits: Any, photos: Any) -> str:
    """Of the digits, of the photographs."""
    return ", ".join("–" if value == "" else f"{value:,}" for value in (digits, photos))


def _yes(same: bool) -> str:
    return "yes" if same else "no"
