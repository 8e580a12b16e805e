"""Make the tables of README and docs anew: what the code knows and what was measured.

    python -m tools.docs            write them where they are old
    python -m tools.docs --check    only say which are old; exit status 1 where any is
    python -m tools.docs --count    build every network, and count its parameters again (minutes)

A table stands between <!-- made by make docs: NAME --> and its end; what is around it is
written by hand. docs/pictures/stages.svg is made of dvc.yaml.
"""

import re
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from pipeline.networks.registry import networks
from pipeline.runtime import files
from pipeline.runtime.stage import program_parser, run_program, say
from tools.documentation import commands, counts, known, measured, variables
from tools.documentation.blocks import BLOCK, filled
from tools.documentation.stages import drawn

ROOT = Path(__file__).resolve().parents[1]
NETWORKS = ("docs/networks.md", "docs/pretrained.md")
STAGES = "docs/pictures/stages.svg"
COLUMNS = {heads[0]: len(heads) for heads in (known.NETWORK_COUNTS, known.BASE_COUNTS)}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = program_parser("tools.docs", __doc__)
    parser.add_argument("--check", action="store_true", help="write nothing")
    parser.add_argument("--count", action="store_true", help="count all networks' parameters")
    given = parser.parse_args(arguments)
    texts = made(given.count)
    old = [name for name in texts if texts[name] != _read(name)]
    for name in old:
        if not given.check:
            files.write_text(ROOT / name, texts[name])
        say("docs", f"{name}: {'old; `make docs` makes it anew' if given.check else 'written'}")
    if not old:
        say("docs", "all tables are as the code and the measurements say")
    return int(bool(old and given.check))


def made(count: bool = False) -> dict[str, str]:
    """The texts of all pages, and of the stages' picture, as they should be."""
    makers = _makers(cache(lambda: _counted(count)))
    texts = {name: filled(name, _read(name), makers) for name in pages()}
    return {**texts, STAGES: drawn((ROOT / "dvc.yaml").read_text(encoding="utf-8"))}


def pages() -> list[str]:
    """README and the pages of docs/, relative to the repository."""
    return ["README.md", *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md")))]


def _counted(again: bool) -> dict[str, counts.Counts]:
    found = {} if again else counts.said("\n".join(map(_read, NETWORKS)), COLUMNS)
    for name, network in networks().items():
        if name not in found:
            say("docs", f"counting the parameters of {name}")
            found[name] = counts.count(network)
    return found


def _makers(counted: Callable[[], dict[str, counts.Counts]]) -> dict[str, Callable[[], str]]:
    reports = ROOT / "reports"
    return {
        "networks": lambda: known.networks_table(counted()),
        "bases": lambda: known.bases_table(counted()),
        "datasets": known.datasets_table,
        "parameters": lambda: known.parameters_table(_read("params.yaml")),
        "targets": lambda: commands.targets_table(_read("Makefile")),
        "extras": lambda: commands.extras_table(_read("pyproject.toml")),
        "programs": lambda: commands.programs_table(ROOT),
        "variables": lambda: commands.variables_table(ROOT, variables.KNOWN, variables.FOR_OTHERS),
        "goals": lambda: measured.goals_table(reports),
        "machine": lambda: measured.machine_words(reports),
        "precision": lambda: measured.precision_table(reports),
        "published": lambda: measured.published_table(reports),
        "results": lambda: measured.results_table(reports),
        "bases-measured": lambda: measured.bases_measured_table(reports),
        "peers": lambda: measured.peers_table(reports),
        "further": _further,
    }


def _further() -> str:
    """Links to the pages of docs/ that README names nowhere else."""
    around = re.sub(BLOCK, "", _read("README.md"))
    links = [
        f"[{_read(name).splitlines()[0].removeprefix('# ')}]({name})"
        for name in pages()[1:]
        if f"]({name}" not in around
    ]
    return f"Further: {', '.join(links)}." if links else ""


def _read(name: str) -> str:
    path = ROOT / name
    return path.read_text(encoding="utf-8") if path.is_file() else ""


if __name__ == "__main__":
    run_program("docs", main)
