"""Remove what no experiment of Git or MLflow needs: a dry run, until --delete is given.

    python -m tools.gc               say what would go, and how many bytes
    python -m tools.gc --delete      remove it

Kept is what the workspace and any commit, branch, tag or DVC experiment names in
DVC's cache; resume files of the last two weeks; every MLflow run that finished,
was pruned, has a model, or will be gone on with. Nothing is removed while
something runs here. What DVC restores from its run cache may be computed again.
"""

from collections.abc import Sequence

from pipeline.runtime.stage import program_parser, run_program, say
from tools.cleaning import cache, record, state


def main(arguments: Sequence[str] | None = None) -> None:
    parser = program_parser("tools.gc", __doc__)
    parser.add_argument("--delete", action="store_true", help="remove it, not only say what")
    delete = parser.parse_args(arguments).delete
    state.check_idle()
    found = [*state.unused(), *record.unused(), *cache.unused()]
    total = 0
    for waste in found:
        if not waste.count:
            continue
        total += waste.bytes
        if delete:
            state.check_idle()
            waste.remove()
        say("gc", f"{waste.count:,} {waste.what}: {in_words(waste.bytes)}")
    if not total and not any(waste.count for waste in found):
        say("gc", "nothing to remove")
    elif delete:
        say("gc", f"removed {in_words(total)}")
    else:
        say("gc", f"{in_words(total)} would go; `make gc YES=1` removes it")


def in_words(size: int) -> str:
    """Bytes as people say them: 512 bytes, 1.5 MB."""
    for unit, digits in (("GB", 9), ("MB", 6), ("kB", 3)):
        if size >= 10**digits:
            return f"{size / 10**digits:.1f} {unit}"
    return f"{size} bytes"


if __name__ == "__main__":
    run_program("gc", main)
