"""The tables of what was measured, of small files."""

import json
from pathlib import Path
from typing import Any

from tools.documentation import measured

PAIR = {
    "about": "A beside B",
    "goals": [
        {"quantity": "seconds", "of": "A", "over": "B", "most": 0.5, "median": 0.6,
         "values": [0.55, 0.6, 0.7], "met": False},
        {"quantity": "accuracy", "of": "A", "over": None, "least": 0.9, "median": 0.91,
         "values": [0.91], "met": True},
        {"quantity": "peak_mib", "of": "A", "over": None, "most": 100, "median": None},
    ],
}  # fmt: skip


def test_a_goal_says_by_how_much_it_was_missed(tmp_path: Path) -> None:
    (tmp_path / "benchmark.json").write_text(json.dumps({"pairs": {"pair": PAIR}}))
    assert measured.goals_table(tmp_path).splitlines()[2:] == [
        "| A beside B | time of A, over B | 0.600 (0.550 to 0.700) | **missed** by 20.0% | at most 0.500 |",
        "|  | test accuracy of A | 0.9100 | met | at least 0.9000 |",
        "|  | peak memory of A | not measured |  | at most 100 MiB |",
    ]


def test_goals_of_two_machines_and_several_days_say_so(tmp_path: Path) -> None:
    def pair(processor: str, began: str, ended: str, others: float) -> dict[str, Any]:
        machine = {"processors": 2, "processor": processor, "flags": ["avx2"]}
        found = {"from": f"{began}T22:00:00", "to": f"{ended}T01:00:00", "machine": machine}
        return {"measured": {**found, "others_at_most": others}}

    pairs = {
        "a": pair("Intel", "2026-11-23", "2026-11-24", 0.01),
        "b": pair("AMD", "2026-11-22", "2026-11-22", 0.05),
        "c": {"about": "not measured"},
    }
    (tmp_path / "benchmark.json").write_text(json.dumps({"pairs": pairs}))
    assert measured.machine_words(tmp_path).startswith(
        "Measured on 2 processors of an AMD (avx2), and on 2 processors of an Intel (avx2), "
        "2026-11-22 to 2026-11-24; other programs used 5% of them at most."
    )


def test_a_table_without_its_file_is_left_out(tmp_path: Path) -> None:
    for made in (measured.goals_table, measured.peers_table, measured.published_table,
                 measured.results_table, measured.precision_table, measured.machine_words):  # fmt: skip
        assert made(tmp_path) == ""


def test_peers(tmp_path: Path) -> None:
    (tmp_path / "peers.csv").write_text(
        "tool,version,lines,first_model_mnist_5k_s,accuracy_mnist_5k,same_bytes,killed,shows\n"
        "ours,,1,40,0.964,yes,an epoch,a report\nfastai,2.8,12,20,0.97,no,,\n"
    )
    head, _, ours, fastai = measured.peers_table(tmp_path).splitlines()
    assert head.startswith("| tool | lines to write | seconds to a first model, digits |")
    assert ours == "| ours | 1 | 40 | 0.964 | yes | an epoch |"
    assert fastai == "| fastai 2.8 | 12 | 20 | 0.97 | no | – |"
